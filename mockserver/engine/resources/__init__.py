"""Resources, which outlive a request: their states, their templates and what is rendered from them."""
