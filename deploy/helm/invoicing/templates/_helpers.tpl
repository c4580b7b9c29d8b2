{{- define "invoicing.name" -}}
{{- $name := ternary .Release.Name (printf "%s-invoicing" .Release.Name) (contains "invoicing" .Release.Name) -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Which pods are a role's own. Takes a list: the root, the role. */}}
{{- define "invoicing.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: invoicing
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "invoicing.labels" -}}
{{- $root := index . 0 -}}
{{ include "invoicing.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end -}}

{{- define "invoicing.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What every pod has in common. Takes a list: the root, the role, the Secret's name. */}}
{{- define "invoicing.pod" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
# Nothing here talks to Kubernetes.
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: temporary
    emptyDir:
      sizeLimit: {{ if eq (index . 1) "verify" }}{{ $root.Values.verify.temporarySpace }}{{ else }}64Mi{{ end }}
  - name: secrets
    secret: {secretName: {{ index . 2 }}, defaultMode: 0440}
  {{- with $root.Values.kafka.caSecret }}
  - name: kafka-authority
    secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
  {{- end }}
  {{- with $root.Values.postgres.caSecret }}
  - name: postgres-authority
    secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
  {{- end }}
  {{- if eq (index . 1) "api" }}
  {{- with $root.Values.api.tokens.jwksConfigMap }}
  - name: jwks
    configMap: {name: {{ . }}, items: [{key: jwks.json, path: jwks.json}]}
  {{- end }}
  {{- with $root.Values.api.tokens.clientsSecret }}
  - name: clients
    secret: {secretName: {{ . }}, defaultMode: 0440, items: [{key: clients.toml, path: clients.toml}]}
  {{- end }}
  {{- end }}
  {{- if and $root.Values.sellers (has (index . 1) (list "worker" "api")) }}
  - name: sellers
    configMap: {name: {{ include "invoicing.name" $root }}-sellers}
  {{- end }}
{{- end -}}

{{/* What every container has in common. Takes a list: the root, the command, the Secret's name. */}}
{{- define "invoicing.container" -}}
{{- $root := index . 0 -}}
{{- $command := index . 1 -}}
{{- $values := $root.Values -}}
name: invoicing
image: {{ include "invoicing.image" $root }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args: [{{ $command }}]
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: temporary, mountPath: /tmp}
  - {name: secrets, mountPath: /run/secrets/invoicing, readOnly: true}
  {{- if $values.kafka.caSecret }}
  - {name: kafka-authority, mountPath: /run/tls/kafka, readOnly: true}
  {{- end }}
  {{- if $values.postgres.caSecret }}
  - {name: postgres-authority, mountPath: /run/tls/postgres, readOnly: true}
  {{- end }}
  {{- if eq $command "api" }}
  {{- if $values.api.tokens.jwksConfigMap }}
  - {name: jwks, mountPath: /etc/invoicing/jwks, readOnly: true}
  {{- end }}
  {{- if $values.api.tokens.clientsSecret }}
  - {name: clients, mountPath: /run/secrets/clients, readOnly: true}
  {{- end }}
  {{- end }}
  {{- if and $values.sellers (has $command (list "worker" "api")) }}
  - {name: sellers, mountPath: /etc/invoicing/sellers, readOnly: true}
  {{- end }}
env:
  - {name: INVOICING_POSTGRES_DSN_FILE, value: /run/secrets/invoicing/postgres-dsn}
  {{- if ne $command "migrate" }}
  - {name: INVOICING_KAFKA_BOOTSTRAP_SERVERS, value: {{ $values.kafka.bootstrapServers | quote }}}
  - {name: INVOICING_KAFKA_SECURITY_PROTOCOL, value: {{ $values.kafka.securityProtocol }}}
  {{- if hasPrefix "SASL" $values.kafka.securityProtocol }}
  - {name: INVOICING_KAFKA_SASL_MECHANISM, value: {{ $values.kafka.saslMechanism }}}
  - name: INVOICING_KAFKA_SASL_USERNAME
    valueFrom: {secretKeyRef: {name: {{ index . 2 }}, key: kafka-username}}
  - {name: INVOICING_KAFKA_SASL_PASSWORD_FILE, value: /run/secrets/invoicing/kafka-password}
  {{- end }}
  {{- if hasSuffix "SSL" $values.kafka.securityProtocol }}
  {{- if $values.kafka.caSecret }}
  - {name: INVOICING_KAFKA_SSL_CA_PATH, value: /run/tls/kafka/ca.crt}
  {{- end }}
  {{- if $values.kafka.hasClientCertificate }}
  - {name: INVOICING_KAFKA_SSL_CERTIFICATE_PATH, value: /run/secrets/invoicing/kafka-tls.crt}
  - {name: INVOICING_KAFKA_SSL_KEY_PATH, value: /run/secrets/invoicing/kafka-tls.key}
  {{- if $values.kafka.hasClientKeyPassword }}
  - {name: INVOICING_KAFKA_SSL_KEY_PASSWORD_FILE, value: /run/secrets/invoicing/kafka-tls-password}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- with $values.tracesEndpoint }}
  - {name: INVOICING_TRACES_ENDPOINT, value: {{ . | quote }}}
  {{- end }}
  {{- range $name, $value := $values.settings }}
  - {name: INVOICING_{{ $name }}, value: {{ $value | quote }}}
  {{- end }}
{{- end -}}

{{/* Of what runs on: worker and API. */}}
{{- define "invoicing.probes" -}}
# Postgres or Kafka may be away at the start; the process itself says when it gives up.
startupProbe:
  httpGet: {path: /health/live, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /health/live, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /health/ready, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* Not two on a node that may go, where there are others. Takes a list: the root, the role. */}}
{{- define "invoicing.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "invoicing.selector" . | nindent 8 }}
{{- end -}}
