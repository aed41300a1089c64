// Loaded before the emulator, which by itself would listen on all addresses and outlive a test that was killed. With this it
// listens on loopback only, says when it does, and leaves when its standard input ends: that is a pipe, of which
// the tests hold the other end.
"use strict";
const { Server } = require("node:net");
const { listen } = Server.prototype;
Server.prototype.listen = function (port) {
  this.once("listening", () => console.log("listening"));
  return listen.call(this, port, "127.0.0.1");
};
process.stdin.on("end", () => process.exit()).resume();
