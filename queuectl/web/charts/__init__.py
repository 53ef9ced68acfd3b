"""Charts, drawn as SVG by pure functions; app.css gives them their colours."""
