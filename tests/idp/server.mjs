// The test provider: oidc-provider over TLS on loopback.
//
//   HOST=127.0.0.1 PORT=0 TLS_DIR=DIR AT_TTL=60 RT_TTL=3600 USERS=alice:wonderland node server.mjs
//   PAR=1: takes pushed authorization requests too (RFC 9126)
//
// Prints "listening ISSUER" when ready. Control, for tests on the same machine:
//   POST /__ctl/client   {client_id, client_secret, redirect_uris, ...}: registers a client
//   GET  /__ctl/stats    the last client assertion, and counts: answers of /token (token_most: at once), errors, faults met, reuse of refresh tokens, revocations
//   POST /__ctl/fault    {path, grant_type, count, kind, ms, status, headers, body}: see below
//   GET  /__ctl/tls12    {mtls}: where client certificates are asked for, and TLS 1.2 is the newest
//   POST /__ctl/expire-access, /__ctl/revoke-user {user}, /__ctl/refresh-tokens, /__ctl/device-codes, /__ctl/clear
// Faults, first that fits, `count` times (default 1):
//   reset        close without looking            hang         never answer (close after ms)
//   lost_answer  process, then close              truncate     process, send half, close
//   delay        wait ms, then process            status       answer status/headers/body
//   rewrite      process, then change the JSON: set {..}, delete [..]
import https from 'node:https';
import fs from 'node:fs';
import crypto from 'node:crypto';
import { PassThrough } from 'node:stream';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { Provider, errors } from 'oidc-provider';

const env = process.env;
const HOST = env.HOST || '127.0.0.1';
const PORT = +(env.PORT || 0);
const DIR = env.TLS_DIR || '.';
const USERS = new Map((env.USERS || 'alice:wonderland,bob:builder').split(',').map((s) => s.split(':')));

// ---- storage: unbounded, so that no grant is evicted under load
const store = new Map();
const ofGrant = new Map();
const byUid = new Map();
const byUserCode = new Map();

class Memory {
	constructor(model) { this.model = model; }
	key(id) { return `${this.model}:${id}`; }
	async upsert(id, payload, ttl) {
		const key = this.key(id);
		store.set(key, { payload, end: ttl ? Date.now() + ttl * 1000 : Infinity });
		if (payload.grantId && this.model !== 'Grant') {
			if (!ofGrant.has(payload.grantId)) ofGrant.set(payload.grantId, new Set());
			ofGrant.get(payload.grantId).add(key);
		}
		if (payload.uid) byUid.set(payload.uid, id);
		if (payload.userCode) byUserCode.set(payload.userCode, id);
	}
	async find(id) {
		const entry = store.get(this.key(id));
		if (!entry) return undefined;
		if (entry.end < Date.now()) { store.delete(this.key(id)); return undefined; }
		return entry.payload;
	}
	async findByUid(uid) { return this.find(byUid.get(uid)); }
	async findByUserCode(code) { return this.find(byUserCode.get(code)); }
	async consume(id) {
		const entry = store.get(this.key(id));
		if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
	}
	async destroy(id) { store.delete(this.key(id)); }
	async revokeByGrantId(grant) {
		for (const key of ofGrant.get(grant) || []) store.delete(key);
		ofGrant.delete(grant);
	}
}

// ---- the provider
const SCOPES = ['openid', 'offline_access', 'api:read', 'api:write'];
const stats = { token: {}, errors: {}, faults: {}, reuse_detected: 0, token_most: 0, reuse_of: {}, revoked: 0, authorize: 0 };

// Client certificates are asked for on ports of their own (RFC 8705 section 5).
const certificate = (ctx) => ctx.socket.getPeerX509Certificate?.()?.toString();

function makeProvider(issuer, mtls) {
	const key = (type, options, alg, kid) => ({
		...crypto.generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
		use: 'sig', alg, kid,
	});
	const provider = new Provider(issuer, {
		adapter: Memory,
		scopes: SCOPES,
		claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
		pkce: { required: () => env.PKCE_REQUIRED !== '0' },
		rotateRefreshToken: env.ROTATE !== '0',
		issueRefreshToken: async (ctx, client, code) =>
			client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
		expiresWithSession: () => false,
		cookies: { keys: [crypto.randomBytes(16).toString('hex')] },
		jwks: { keys: [key('ec', { namedCurve: 'P-256' }, 'ES256', 'e'), key('rsa', { modulusLength: 2048 }, 'RS256', 'r')] },
		findAccount: async (ctx, id) => ({
			accountId: id,
			claims: async () => ({ sub: id, email: `${id}@example.test`, name: id }),
		}),
		ttl: {
			AccessToken: +(env.AT_TTL || 60), ClientCredentials: +(env.AT_TTL || 60), RefreshToken: +(env.RT_TTL || 3600),
			AuthorizationCode: 60, DeviceCode: 600, Grant: 86400, Session: 3600, Interaction: 600, IdToken: 600,
		},
		clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none', 'private_key_jwt',
			'tls_client_auth', 'self_signed_tls_client_auth'],
		discovery: { mtls_endpoint_aliases: { token_endpoint: `${mtls}/token`,
			revocation_endpoint: `${mtls}/token/revocation`, introspection_endpoint: `${mtls}/token/introspection`,
			userinfo_endpoint: `${mtls}/me` } },
		features: {
			mTLS: {
				enabled: true, certificateBoundAccessTokens: true, selfSignedTlsClientAuth: true, tlsClientAuth: true,
				getCertificate: certificate,
				certificateAuthorized: (ctx) => ctx.socket.authorized,
				certificateSubjectMatches: (ctx, property, expected) => ctx.socket.getPeerX509Certificate().subject === expected,
			},
			devInteractions: { enabled: false },
			deviceFlow: { enabled: true },
			clientCredentials: { enabled: true },
			revocation: { enabled: true, allowedPolicy: async () => true },
			introspection: { enabled: true, allowedPolicy: async () => true },
			clientCredentials: { enabled: true },
			pushedAuthorizationRequests: { enabled: env.PAR === '1' },
			resourceIndicators: { enabled: false },
			rpInitiatedLogout: { enabled: false },
		},
		interactions: { url: (ctx, i) => `/interaction/${i.uid}` },
		renderError: async (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
	});
	// RFC 7523 section 2.1, with a key of the client that asks.
	provider.registerGrantType('urn:ietf:params:oauth:grant-type:jwt-bearer', async (ctx) => {
		const { client, params } = ctx.oidc;
		const { payload } = await jwtVerify(params.assertion, createLocalJWKSet(client.jwks), {
			issuer: client.clientId, audience: issuer, requiredClaims: ['sub', 'exp', 'iat', 'jti'] })
			.catch((e) => { throw new errors.InvalidGrant(e.message); });
		const at = new provider.AccessToken({ client, accountId: payload.sub, scope: 'api:read', gty: 'jwt-bearer' });
		stats.grant_assertion = payload;
		ctx.body = { access_token: await at.save(), token_type: 'Bearer', expires_in: at.expiration };
	}, ['assertion', 'scope']);
	provider.on('grant.error', (ctx, e) => {
		stats.errors[e.error || e.message] = (stats.errors[e.error || e.message] || 0) + 1;
		if (/already used/.test(e.error_detail || '')) {
			const who = ctx.oidc?.entities?.RefreshToken?.accountId || '?';
			stats.reuse_detected++;
			stats.reuse_of[who] = (stats.reuse_of[who] || 0) + 1;
		}
	});
	provider.use(async (ctx, next) => {
		await next();
		if (ctx.path === '/token') {
			const k = `${ctx.oidc?.params?.grant_type || '?'}:${ctx.status}`;
			stats.token[k] = (stats.token[k] || 0) + 1;
			const [head, claims] = (ctx.oidc?.params?.client_assertion || '').split('.');
			if (claims) stats.assertion = { ...JSON.parse(Buffer.from(head, 'base64url')), ...JSON.parse(Buffer.from(claims, 'base64url')) };
		} else if (ctx.path === '/auth') stats.authorize++;
		else if (ctx.path === '/token/revocation') stats.revoked++;
	});
	return provider;
}

// ---- pages for a person: sign in, consent, or decline
const body = (q) => new Promise((ok) => { let s = ''; q.on('data', (d) => { s += d; }); q.on('end', () => ok(s)); });
const page = (s, code, html) => {
	s.writeHead(code, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
	s.end(`<!doctype html><title>Test provider</title><h1>Test provider</h1>${html}`);
};
const json = (s, code, o, h = {}) => { s.writeHead(code, { 'content-type': 'application/json', ...h }); s.end(JSON.stringify(o)); };

async function interaction(provider, q, s, uid, verb) {
	const d = await provider.interactionDetails(q, s);
	const at = `/interaction/${uid}`;
	if (!verb && d.prompt.name === 'login') {
		return page(s, 200, `<p>Try alice / wonderland.</p><form method="post" action="${at}/login">`
			+ '<input name="username"><input name="password" type="password"><button type="submit">Sign in</button></form>'
			+ `<a href="${at}/deny">cancel</a>`);
	}
	if (!verb) {
		return page(s, 200, `<p>${d.params.client_id} asks for ${d.params.scope}</p>`
			+ `<form method="post" action="${at}/consent"><button type="submit">Allow</button></form><a href="${at}/deny">deny</a>`);
	}
	if (verb === 'deny') {
		return provider.interactionFinished(q, s, { error: 'access_denied', error_description: 'the user declined' }, { mergeWithLastSubmission: false });
	}
	const form = new URLSearchParams(await body(q));
	if (verb === 'login') {
		const name = form.get('username');
		if (!name || USERS.get(name) !== form.get('password')) return page(s, 401, 'wrong user name or password');
		return provider.interactionFinished(q, s, { login: { accountId: name } }, { mergeWithLastSubmission: false });
	}
	const { prompt: { details }, params, session: { accountId } } = d;
	const grant = d.grantId ? await provider.Grant.find(d.grantId) : new provider.Grant({ accountId, clientId: params.client_id });
	if (details.missingOIDCScope) grant.addOIDCScope(details.missingOIDCScope.join(' '));
	if (details.missingOIDCClaims) grant.addOIDCClaims(details.missingOIDCClaims);
	return provider.interactionFinished(q, s, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

// ---- a protected resource, to see that a token is good
async function whoami(provider, q, s) {
	const m = /^Bearer (.+)$/i.exec(q.headers.authorization || '');
	const at = m && (await provider.AccessToken.find(m[1]) || await provider.ClientCredentials.find(m[1]));
	const basic = /^Basic (.+)$/i.exec(q.headers.authorization || '');
	if ((m && m[1].startsWith('pat-good')) || (basic && Buffer.from(basic[1], 'base64').toString().startsWith('pat-good'))) return json(s, 200, { sub: 'pat-user', login: m && /@(\w+)$/.exec(m[1])?.[1] || 'pat-user' });
	if (!at) return json(s, 401, { error: 'invalid_token' });
	return json(s, 200, { sub: at.accountId, client_id: at.clientId, scope: at.scope || '', bound: at['x5t#S256'] });
}

// ---- control and faults
let faults = [], tokenNow = 0;
const forget = (test) => { let n = 0; for (const [k, e] of [...store]) if (test(k, e)) { store.delete(k); n++; } return n; };

async function control(q, s, path) {
	const b = q.method === 'POST' ? JSON.parse((await body(q)) || '{}') : {};
	switch (path) {
	case '/__ctl/stats': return json(s, 200, stats);
	case '/__ctl/tls12': return json(s, 200, { mtls: base(tls12) });
	case '/__ctl/client':
		store.set(`Client:${b.client_id}`, { end: Infinity, payload: {
			grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
			token_endpoint_auth_method: 'client_secret_basic', scope: SCOPES.join(' '), ...b } });
		return json(s, 200, {});
	case '/__ctl/fault': faults.push({ count: 1, ...b }); return json(s, 200, {});
	case '/__ctl/clear': faults = []; return json(s, 200, {});
	case '/__ctl/refresh-tokens':	// fresh: of sign-ins, not of renewals
		return json(s, 200, [...store].filter(([k, e]) => k.startsWith('RefreshToken:')
			&& (!b.fresh || !/refresh_token/.test(e.payload.gty))).map(([k]) => k.slice(13)));
	case '/__ctl/device-codes': return json(s, 200, [...store.keys()].filter((k) => k.startsWith('DeviceCode:')).map((k) => k.slice(11)));
	case '/__ctl/expire-access': return json(s, 200, { n: forget((k) => k.startsWith('AccessToken:')) });
	case '/__ctl/revoke-user': return json(s, 200, { n: forget((k, e) => /^(RefreshToken|AccessToken|Grant):/.test(k) && e.payload.accountId === b.user) });
	default: return json(s, 404, {});
	}
}

const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const findFault = (path, form) => faults.find((f) => f.count > 0 && (!f.path || f.path === path)
	&& (!f.grant_type || f.grant_type === form.get('grant_type')));

// The request again, with its body put back in front of the provider.
function replay(q, text) {
	const again = new PassThrough();
	again.end(text);
	return Object.assign(again, { method: q.method, url: q.url, headers: q.headers, socket: q.socket,
		connection: q.socket, httpVersion: q.httpVersion, httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders: q.rawHeaders });
}

// Holds the provider's answer back, so that it can be lost, cut or changed.
function capture(s, done) {
	const parts = [];
	const add = (d, enc) => { if (d && typeof d !== 'function') parts.push(Buffer.from(d, typeof enc === 'string' ? enc : 'utf8')); };
	const { write, end, writeHead } = s;
	s.write = (d, enc) => { add(d, enc); return true; };
	s.end = (d, enc) => { add(d, enc); Object.assign(s, { write, end, writeHead }); done(Buffer.concat(parts)); return s; };
	s.writeHead = (code, h) => { s.statusCode = code; for (const [k, v] of Object.entries(h || {})) s.setHeader(k, v); return s; };
}

async function faulty(f, call, q, s) {
	const kill = () => q.socket.destroy();
	if (f.kind === 'reset') return kill();
	if (f.kind === 'hang') return f.ms ? setTimeout(kill, f.ms) : undefined;
	if (f.kind === 'status') return json(s, f.status || 503, f.body || {}, f.headers);
	if (f.kind === 'delay') { await sleep(f.ms || 1000); return call(); }
	capture(s, (out) => {
		if (f.kind === 'lost_answer') return kill();
		if (f.kind === 'truncate') { s.setHeader('content-length', out.length); s.flushHeaders(); s.write(out.subarray(0, out.length >> 1)); return setTimeout(kill, 30); }
		const o = JSON.parse(out);
		for (const k of f.delete || []) delete o[k];
		const text = JSON.stringify(Object.assign(o, f.set));
		s.removeHeader('content-length');
		return s.end(text);
	});
	return call();
}

async function handle(provider, q, s) {
	const path = new URL(q.url, 'https://x').pathname;
	if (path === '/token') {
		stats.token_most = Math.max(stats.token_most, ++tokenNow);
		s.on('close', () => { tokenNow--; });
	}
	const m = /^\/interaction\/([^/]+)(?:\/(login|consent|deny))?$/.exec(path);
	if (m) return interaction(provider, q, s, m[1], m[2]);
	if (path === '/api/whoami' && !findFault(path, new URLSearchParams())) return whoami(provider, q, s);
	if (path.startsWith('/__ctl/')) return control(q, s, path);
	if (!faults.some((f) => f.count > 0)) return provider.callback()(q, s);
	const text = await body(q);
	const f = findFault(path, new URLSearchParams(text));
	const call = () => path === '/api/whoami' ? whoami(provider, q, s) : provider.callback()(replay(q, text), s);
	if (!f) return call();
	f.count--;
	stats.faults[`fault:${f.kind}`] = (stats.faults[`fault:${f.kind}`] || 0) + 1;
	return faulty(f, call, q, s);
}

let provider;
const listen = (port, options) => new Promise((ok) => {
	const server = https.createServer({ key: fs.readFileSync(`${DIR}/server.key`), cert: fs.readFileSync(`${DIR}/server.pem`), ...options },
		(q, s) => handle(provider, q, s).catch((e) => { console.error(e); if (!s.headersSent) json(s, 500, { error: 'server_error' }); }));
	server.listen(port, HOST, () => ok(server));
});
const base = (server) => `https://${HOST}:${server.address().port}`;
const certs = fs.existsSync(`${DIR}/ca.pem`) && { requestCert: true, rejectUnauthorized: false, ca: fs.readFileSync(`${DIR}/ca.pem`) };
const mtls = await listen(0, certs);
const tls12 = await listen(0, { ...certs, maxVersion: 'TLSv1.2' });
const server = await listen(PORT);
provider = makeProvider(base(server), base(mtls));
console.log(`listening ${base(server)}`);
for (const sig of ['SIGTERM', 'SIGINT']) process.on(sig, () => process.exit(0));
