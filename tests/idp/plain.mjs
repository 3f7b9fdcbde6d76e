// A small, fast provider over TLS on loopback: refresh tokens rotate, a used one that comes again ends
// its grant. It keeps a ledger of each account, so that what became of every grant can be accounted for.
//
//   PORT=0 TLS_DIR=DIR RATE=200 LIFETIME=3600 node plain.mjs	RATE: requests a second, 0 = no limit
//
// Prints "listening ISSUER" when ready.
//   POST /token          password, client_credentials, refresh_token; above RATE 429 with Retry-After
//   GET  /api/whoami     the account of a token that lives
//   GET  /__ctl/stats    counts; GET /__ctl/ledger: a line for each account
//   POST /__ctl/set      {ends_at: all first tokens end then (unix s), lifetime, rate, chaos,
//                        password: the one of all accounts, forget: refresh tokens are refused}
// chaos: {delay, s503, s429, lost, truncate, s502: parts of 1; hold: ms}. The last three come after the
// refresh token was spent, and are written down as lost in the ledger.
import https from 'node:https';
import fs from 'node:fs';
import crypto from 'node:crypto';

const env = process.env;
const HOST = '127.0.0.1', DIR = env.TLS_DIR || '.';
const set = { rate: +(env.RATE || 0), lifetime: +(env.LIFETIME || 3600), ends_at: 0, chaos: {}, password: 'word', forget: false };
const stats = { password: 0, wrong_passwords: 0, client_credentials: 0, refreshed: 0, refused: 0, reuse: 0, late: 0, throttled: 0, now: 0, most: 0, faults: {}, first: 0, last: 0 };
const accounts = new Map();		// name -> { n, refresh, access, ends, dead, reuse, lost, renewed }
const random = () => crypto.randomBytes(18).toString('base64url');
const now = () => Date.now() / 1000;
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const body = (q) => new Promise((ok, no) => { let s = ''; q.on('data', (d) => { s += d; }); q.on('end', () => ok(s)); q.on('error', no); });
const json = (s, code, o, h = {}) => { s.writeHead(code, { 'content-type': 'application/json', ...h }); s.end(JSON.stringify(o)); };

// No second has more than RATE.
const recent = [];
function limited() {
	const t = Date.now();
	if (set.rate === 0) return false;
	while (recent.length > 0 && recent[0] <= t - 1000) recent.shift();
	if (recent.length >= set.rate) return true;
	recent.push(t);
	return false;
}

function issue(a, first) {
	const life = first && set.ends_at ? Math.max(1, Math.round(set.ends_at - now())) : set.lifetime;
	a.n++;
	a.refresh = `r.${a.name}.${a.n}.${random()}`;
	a.access = `a.${a.name}.${a.n}.${random()}`;
	a.ends = now() + life;
	return { access_token: a.access, token_type: 'Bearer', expires_in: life, refresh_token: a.refresh };
}

function first(name, kind) {
	const a = { name, n: 0, dead: false, reuse: 0, lost: 0, renewed: 0, ...accounts.get(name), dead: false };
	accounts.set(name, a);
	stats[kind]++;
	const o = issue(a, true);
	if (kind === 'client_credentials') delete o.refresh_token;
	return o;
}

// The answer, or null: a no.
function renew(token) {
	const [, name, n] = token.split('.');
	const a = accounts.get(name);
	if (!a || a.dead || token !== a.refresh) {
		if (a && !a.dead && +n < a.n) { a.reuse++; stats.reuse++; a.dead = true; }
		stats.refused++;
		return null;
	}
	if (now() > a.ends) stats.late++;
	stats.refreshed++;
	stats.first = stats.first || now();
	stats.last = now();
	a.renewed++;
	return issue(a, false);
}

function draw() {
	let r = Math.random();
	for (const k of ['delay', 's503', 's429', 'lost', 'truncate', 's502']) if ((r -= set.chaos[k] || 0) < 0) return k;
	return '';
}

async function token(q, s) {
	const form = new URLSearchParams(await body(q));
	const kind = form.get('grant_type'), fault = kind === 'refresh_token' ? draw() : '';
	if (limited()) { stats.throttled++; return json(s, 429, { error: 'rate_limited' }, { 'retry-after': '1' }); }
	if (fault) stats.faults[fault] = (stats.faults[fault] || 0) + 1;
	if (fault === 's503') return json(s, 503, { error: 'temporarily_unavailable' });
	if (fault === 's429') return json(s, 429, { error: 'rate_limited' }, { 'retry-after': '1' });
	if (fault === 'delay') await sleep(Math.random() * (set.chaos.hold || 500));
	if (kind === 'password' && form.get('password') !== set.password) {
		stats.wrong_passwords++;
		return json(s, 400, { error: 'invalid_grant', error_description: 'the password is wrong' });
	}
	if (kind === 'password') return json(s, 200, first(form.get('username'), kind));
	if (kind === 'client_credentials') return json(s, 200, first('app', kind));
	if (kind !== 'refresh_token') return json(s, 400, { error: 'unsupported_grant_type' });
	const a = accounts.get((form.get('refresh_token') || '').split('.')[1]);
	const o = set.forget ? null : renew(form.get('refresh_token') || '');
	if (!o) return json(s, 400, { error: 'invalid_grant', error_description: 'the refresh token is spent or unknown' });
	s.on('close', () => { if (!s.writableFinished) a.lost++; });	// who asked has gone
	if (fault === 'lost') return q.socket.destroy();
	if (fault === 's502') { a.lost++; return json(s, 502, { error: 'bad_gateway' }); }
	if (fault !== 'truncate') return json(s, 200, o);
	const text = JSON.stringify(o);
	s.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
	s.write(text.slice(0, text.length >> 1));
	return setTimeout(() => q.socket.destroy(), 20);
}

async function handle(q, s) {
	const path = q.url.split('?')[0];
	if (path === '/token') {
		stats.most = Math.max(stats.most, ++stats.now);
		s.on('close', () => { stats.now--; });
		return token(q, s);
	}
	if (path === '/__ctl/stats') return json(s, 200, stats);
	if (path === '/__ctl/set') { Object.assign(set, JSON.parse(await body(q))); return json(s, 200, set); }
	if (path === '/__ctl/ledger') {
		s.writeHead(200);
		for (const a of accounts.values()) s.write(`${a.name}\t${a.renewed}\t${a.lost}\t${a.reuse}\t${a.dead ? 'dead' : 'alive'}\n`);
		return s.end();
	}
	if (path === '/api/whoami') {
		const t = (q.headers.authorization || '').replace(/^Bearer /, '');
		const a = accounts.get(t.split('.')[1]);
		return a && a.access === t && now() <= a.ends ? json(s, 200, { sub: a.name }) : json(s, 401, { error: 'invalid_token' });
	}
	return json(s, 404, {});
}

const server = https.createServer({ key: fs.readFileSync(`${DIR}/server.key`), cert: fs.readFileSync(`${DIR}/server.pem`) },
	(q, s) => handle(q, s).catch((e) => { if (!s.headersSent && !s.destroyed) json(s, 500, { error: String(e.message) }); }));
server.listen(+(env.PORT || 0), HOST, 4096, () => console.log(`listening https://${HOST}:${server.address().port}`));
for (const sig of ['SIGTERM', 'SIGINT']) process.on(sig, () => process.exit(0));
