// Reads one request's bytes (base64) per line, gives them to Node's HTTP server on a connection of their own, and writes one line
// of JSON per input: the requests that the server saw, or its error.
"use strict";
const http = require("node:http");
const net = require("node:net");
const lines = require("node:fs").readFileSync(0, "utf8").split("\n").filter(Boolean);

const seen = new Map();
const server = http.createServer((request, response) => {
  const one = { method: request.method, url: request.url, raw: request.rawHeaders, body: "" };
  seen.get(request.socket.remotePort).push(one);
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    one.body = Buffer.concat(pieces).toString("base64");
    response.end();
  });
});
server.on("clientError", (error, socket) => {
  seen.get(socket.remotePort).push({ error: error.code });
  socket.destroy();
});
server.on("connection", (socket) => seen.set(socket.remotePort, []));

function ask(raw) {
  return new Promise((resolve) => {
    const socket = net.connect(server.address().port, "127.0.0.1", () => {
      const port = socket.localPort;
      socket.on("close", () => resolve(seen.get(port)));
      socket.on("error", () => {});
      socket.resume();
      socket.end(raw);
    });
  });
}

server.listen(0, "127.0.0.1", async () => {
  for (const line of lines) {
    process.stdout.write(JSON.stringify(await ask(Buffer.from(line, "base64"))) + "\n");
  }
  server.close();
});
