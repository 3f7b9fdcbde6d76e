// Plays the person in front of the browser: opens an authorization URL, signs in, consents,
// and follows the redirect to the end.
//
//   NODE_EXTRA_CA_CERTS=ca.pem node authorize.mjs URL [--user NAME --password WORD] [--deny] [--print] [--add PARAMETERS]
//
// --print: prints the redirect URL instead of following it. --add: with more parameters at its end.
// A URL with a user_code is that of a device (RFC 8628): nothing leads back, the page at the end says
// how it went.
const args = process.argv.slice(2);
const option = (name, other) => (args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : other);
const cookies = new Map();

async function get(url, init = {}) {
	const headers = { ...(init.headers || {}), cookie: [...cookies].map(([k, v]) => `${k}=${v}`).join('; ') };
	const r = await fetch(url, { ...init, headers, redirect: 'manual' });
	for (const line of r.headers.getSetCookie()) {
		const [pair, ...attributes] = line.split(';').map((s) => s.trim());
		const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
		const gone = value === '' || attributes.some((a) => /^expires=/i.test(a) && Date.parse(a.slice(8)) < Date.now());
		if (gone) cookies.delete(name); else cookies.set(name, value);
	}
	return r;
}

const post = (url, fields) => get(url, {
	method: 'POST', body: new URLSearchParams(fields).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } });

// What a program hands to a browser leads to the address itself.
if (/^http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/]/.test(args[0] || ''))
	args[0] = (await fetch(args[0], { redirect: 'manual' })).headers.get('location') || '';
if (!/^https:\/\/.*[?&]((redirect|request)_uri|user_code)=/.test(args[0] || '')) {
	console.error('usage: authorize.mjs \'AUTHORIZATION-URL\' [--user NAME --password WORD] [--deny] [--print]\n'
		+ 'The address is the one that vaultctl connect prints; put it in quotes.');
	process.exit(2);
}
const start = new URL(args[0]);
// What was pushed (RFC 9126) shows no redirect URI: then it is whatever is not the provider's.
const back = start.searchParams.has('redirect_uri') ? new URL(start.searchParams.get('redirect_uri')) : null;
const arrived = (u) => back === null ? u.origin !== start.origin : u.origin + u.pathname === back.origin + back.pathname;

const device = start.searchParams.has('user_code');
const hidden = (html) => Object.fromEntries([...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map((m) => [m[1], m[2]]));

async function sit() {
	let at = start;
	let r = await get(at);
	for (let i = 0; i < 30; i++) {
		const to = r.headers.get('location');
		if (to) {
			at = new URL(to, at);
			if (!device && arrived(at)) return at;
			r = await get(at);
			continue;
		}
		const html = await r.text();
		if (device && /<h1>Sign-in (Success|was interrupted)/.test(html)) return null;
		if (device && /op.deviceConfirmForm/.test(html) && args.includes('--deny')) {
			await post(at, { ...hidden(html), abort: 'yes' });
			return null;
		}
		if (!device && args.includes('--deny')) {
			at = new URL(/href="([^"]*\/deny)"/.exec(html)[1], at);
			r = await get(at);
			continue;
		}
		const form = /<form [^>]*method="post" action="([^"]*)"/.exec(html);
		if (!form) throw new Error(`stuck at ${at} (${r.status}): ${html.replace(/<[^>]*>/g, ' ').trim().slice(0, 300)}`);
		at = new URL(form[1], at);
		r = await post(at, /password/.test(html) ? { username: option('user', 'alice'), password: option('password', 'wonderland') } : hidden(html));
	}
	throw new Error('never came back');
}

// The page at the end. Nobody listens there when pasting is what is left.
async function load(end) {
	let r;
	try { r = await fetch(end); } catch {
		console.log(`the page at the end does not load: paste this where the sign-in was begun\n${end.href}`);
		return;
	}
	await r.text();
	console.log(`browser: ${r.status}`);
}

try {
	const end = await sit();
	if (end !== null)
		for (const [k, v] of new URLSearchParams(option('add', ''))) end.searchParams.append(k, v);
	if (end === null) console.log('done: the device knows');
	else if (args.includes('--print')) console.log(end.href);
	else await load(end);
} catch (e) { console.error(String(e.cause || e.message || e)); process.exit(1); }
