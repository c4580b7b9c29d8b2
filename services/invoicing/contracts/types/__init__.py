"""Field types that several messages share: money, texts, free-form details."""
