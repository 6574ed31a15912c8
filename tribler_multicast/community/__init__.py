"""The IPv8 communities of this plugin: thin mediators between the protocols, the LAN, the database and the client."""
