"""Real Kafka and Postgres for the tests, in whichever way the machine supports.

Each way of running a service is a class: `refusal()` says why this machine cannot use it, making
one starts the service, `close()` ends it and leaves nothing behind. `choose` takes the first that
the machine can use.
"""
