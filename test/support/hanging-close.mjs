// Loaded into a supervisor by NODE_OPTIONS=--import: its API never closes, as with a defect in it.
import { Server } from 'node:http';

Server.prototype.close = function close() {
  return this;
};
