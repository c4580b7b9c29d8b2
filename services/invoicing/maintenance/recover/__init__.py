"""After one side was restored, made anew or has lost its last: brought forward by the other."""
