// An HTTP server and client on node. Usage: http.js server PORT | http.js client PORT
// The server sends the body back, or as many bytes as the path says. The client makes many requests over kept
// connections, uploads and downloads large bodies, and exits with 0 if every byte was right.
'use strict';
const http = require('http');

const body = (size) => Buffer.alloc(size, `${size}:`);

function serve(port) {
  http.createServer((request, response) => {
    if (request.method === 'POST') return request.pipe(response);
    response.end(body(Number(request.url.slice(1))));
  }).listen(port, '127.0.0.1');
}

function ask(agent, port, method, path, data) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, port, host: '127.0.0.1', method, path }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve(Buffer.concat(parts)));
    });
    request.on('error', reject);
    request.end(data);
  });
}

async function check(agent, port, size) {
  const got = await ask(agent, port, 'GET', `/${size}`);
  if (!got.equals(body(size))) throw new Error(`GET ${size}: ${got.length} bytes`);
  const back = await ask(agent, port, 'POST', '/', body(size));
  if (!back.equals(body(size))) throw new Error(`POST ${size}: ${back.length} bytes`);
}

async function client(port) {
  for (const keepAlive of [true, false]) {
    const agent = new http.Agent({ keepAlive, maxSockets: 8 });
    const many = Array.from({ length: 150 }, (_, i) => check(agent, port, 1 + i * 17));
    await Promise.all(many);
    for (const size of [1, 65536, 1000003, 4000000]) await check(agent, port, size);
    agent.destroy();
  }
  console.log('done');
}

if (process.argv[2] === 'server') serve(Number(process.argv[3]));
else client(Number(process.argv[3])).catch((error) => { console.error(error); process.exit(1); });
