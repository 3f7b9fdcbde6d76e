// A bare client of tests/idp/plain.mjs: refreshes N times with CLIENTS at once, a connection for each
// request as vault-egress has, and keeps nothing. Prints refreshes a second: what the provider gives here.
//
//   NODE_EXTRA_CA_CERTS=ca.pem node post.mjs ISSUER N CLIENTS
import https from 'node:https';

const [issuer, n, clients] = [process.argv[2], +process.argv[3], +process.argv[4]];
const post = (form) => new Promise((ok, no) => {
	const q = https.request(`${issuer}/token`, { method: 'POST', agent: false,
		headers: { 'content-type': 'application/x-www-form-urlencoded' } }, (s) => {
		let text = '';
		s.on('data', (d) => { text += d; });
		s.on('end', () => (s.statusCode === 200 ? ok(JSON.parse(text)) : no(new Error(text))));
	});
	q.on('error', no);
	q.end(new URLSearchParams(form).toString());
});
const first = await Promise.all([...Array(clients).keys()].map((i) =>
	post({ grant_type: 'password', username: `bare${i}`, password: 'word' })));
let left = n;
const t0 = process.hrtime.bigint();
await Promise.all(first.map(async (o) => {
	let token = o.refresh_token;
	while (left-- > 0) token = (await post({ grant_type: 'refresh_token', refresh_token: token })).refresh_token;
}));
console.log((n / (Number(process.hrtime.bigint() - t0) / 1e9)).toFixed(1));
