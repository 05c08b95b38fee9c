#!/bin/sh
exec node /usr/lib/stand-in/server.mjs
