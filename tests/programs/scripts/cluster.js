// An HTTP server on node's cluster module: PORT WORKERS robin|shared. With `robin` the primary accepts and passes each
// connection on; with `shared` every worker accepts at the inherited socket. The answer is as many bytes as the path says,
// or ends the worker after the answer if the path ends in "!".
'use strict';
const cluster = require('cluster');
const http = require('http');

const [port, workers, policy] = process.argv.slice(2);
cluster.schedulingPolicy = policy === 'robin' ? cluster.SCHED_RR : cluster.SCHED_NONE;

if (cluster.isPrimary) {
  for (let i = 0; i < Number(workers); i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
} else {
  http.createServer((request, response) => {
    const size = parseInt(request.url.slice(1), 10);
    response.setHeader('X-Worker', process.pid);
    response.end(Buffer.alloc(size, `${size}:`));
  }).listen(Number(port), '127.0.0.1');
}
