"""The wire: commands, events, replies, and the envelope that carries them."""
