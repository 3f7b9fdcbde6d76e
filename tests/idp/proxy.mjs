// An HTTP proxy for CONNECT alone, as companies have them.
//
//   PORT=3128 node proxy.mjs        prints "listening PORT", then "CONNECT HOST:PORT" for each
//   DENY=403 PORT=3128 node proxy.mjs        answers every one with that
import http from 'node:http';
import net from 'node:net';

const server = http.createServer((q, s) => { s.writeHead(405); s.end(); });
server.on('connect', (q, socket, head) => {
	console.log(`CONNECT ${q.url}`);
	socket.on('error', () => {});
	if (process.env.DENY) {
		socket.end(`HTTP/1.1 ${process.env.DENY} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
		return;
	}
	const [, host, port] = /^(.*):(\d+)$/.exec(q.url);
	const out = net.connect(+port, host, () => {
		socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
		out.write(head);
		socket.pipe(out).pipe(socket);
	});
	out.on('error', () => socket.destroy());
});
server.listen(+(process.env.PORT || 0), '127.0.0.1', () => console.log(`listening ${server.address().port}`));
for (const sig of ['SIGTERM', 'SIGINT']) process.on(sig, () => process.exit(0));
