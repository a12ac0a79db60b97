"""The only client code that opens sockets: the WebSocket runner for codecs, and HTTP."""
