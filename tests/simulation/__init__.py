"""The real lanes and the real domain on a made-up Kafka and Postgres, in virtual time.

Every interleaving follows from a seed: a run that finds something can be played again, exactly.
Whatever awaits the made-up world may be crashed, put to sleep or overtaken just there.
"""
