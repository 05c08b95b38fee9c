#!/bin/sh
exec node /var/www/html/cron.mjs
