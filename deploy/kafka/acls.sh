#!/usr/bin/env bash
# What each principal may do on Kafka (StandardAuthorizer, or any that takes Kafka's own ACLs), and
# nothing else. As who may alter the cluster; again whenever you like, for what is there stays:
#   BOOTSTRAP=kafka:9092 COMMAND_CONFIG=admin.properties deploy/kafka/acls.sh
#
#   principal           commands        events        replies       dead letters  groups               transactions
#   invoicing-worker    read, write     write         write         write         its own              its lanes'
#   invoicing-api       write           describe      read          describe
#   invoicing-producer  write                         read                        invoicing-producer*
#   invoicing-consumer                  read                                      invoicing-consumer*
#   invoicing-operator  create, read,   create, read  create, read  create, read  <group>-redrive;     <group>-redrive
#                       write                                                     describe the workers'
#   invoicing-recovery  read            read, write   read, write   read          the workers'         the lanes'
#
# A worker writes commands, for it forwards what came to the wrong partition. To be allowed to read or
# write is to be allowed to describe. Worker and operator may also see the settings of the topics of commands
# and dead letters: what came as a command must not be too large to be set aside.
set -euf -o pipefail

: "${BOOTSTRAP:?the brokers, as host:port}"
commands=${INVOICING_TOPIC_COMMANDS:-invoices.commands}
events=${INVOICING_TOPIC_EVENTS:-invoices.events}
replies=${INVOICING_TOPIC_REPLIES:-invoices.replies}
dead_letter=${INVOICING_TOPIC_DEAD_LETTER:-invoices.commands.dead-letter}
group=${INVOICING_CONSUMER_GROUP:-invoicing}

allow() {
  local principal=$1
  shift
  ${KAFKA_ACLS:-kafka-acls.sh} --bootstrap-server "$BOOTSTRAP" \
    ${COMMAND_CONFIG:+--command-config "$COMMAND_CONFIG"} \
    --add --allow-principal "User:$principal" "$@" >/dev/null
}

allow invoicing-worker --operation Read --topic "$commands" --group "$group"
allow invoicing-worker --operation Write \
  --topic "$commands" --topic "$events" --topic "$replies" --topic "$dead_letter"
allow invoicing-worker --operation Write \
  --transactional-id "$group-$commands-" --resource-pattern-type prefixed
allow invoicing-worker --operation DescribeConfigs --topic "$commands" --topic "$dead_letter"

allow invoicing-api --operation Write --topic "$commands"
allow invoicing-api --operation Read --topic "$replies"
allow invoicing-api --operation Describe --topic "$events" --topic "$dead_letter"

allow invoicing-producer --operation Write --topic "$commands"
allow invoicing-producer --operation Read --topic "$replies"
allow invoicing-producer --operation Read \
  --group invoicing-producer --resource-pattern-type prefixed

allow invoicing-consumer --operation Read --topic "$events"
allow invoicing-consumer --operation Read \
  --group invoicing-consumer --resource-pattern-type prefixed

all=(--topic "$commands" --topic "$events" --topic "$replies" --topic "$dead_letter")

allow invoicing-operator --operation Create "${all[@]}"
allow invoicing-operator --operation Read "${all[@]}" --group "$group-redrive"
allow invoicing-operator --operation Write \
  --topic "$commands" --transactional-id "$group-redrive"
allow invoicing-operator --operation DescribeConfigs --topic "$commands" --topic "$dead_letter"
allow invoicing-operator --operation Describe --group "$group"

allow invoicing-recovery --operation Read "${all[@]}" --group "$group"
allow invoicing-recovery --operation Write --topic "$events" --topic "$replies"
allow invoicing-recovery --operation Write \
  --transactional-id "$group-$commands-" --resource-pattern-type prefixed
