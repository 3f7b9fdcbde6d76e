/*
 * fuzz-hsm.c - bytes on the two listeners of vault-hsm, through serve.c and ops.c down to a
 * module of a few lines: a wrap is the key itself, and a tag of sixteen T. First byte picks
 * the line. Whatever is asked, every answer is a frame, and the line of vaultd opens nothing
 * of purpose grant.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "pkcs11/serve.h"

#define GRANT	"00000000000000aa"
#define RELEASE	"00000000000000bb"
#define TAG	"TTTTTTTTTTTTTTTT"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct hsm hsm;
static struct serve s;
static enum key_line line;

/* ---- the module */

static CK_RV
init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE key)
{
	const CK_GCM_PARAMS *g = m->pParameter;

	(void)session;
	must(m->mechanism == CKM_AES_GCM && g->iv_len == NONCE_LEN && g->iv_bits == 96);
	must(g->tag_bits == 128 && g->aad_len > 0);
	must(key == 1 || key == 2);
	return CKR_OK;
}

static CK_RV
encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR len)
{
	(void)session;
	must(n == DEK_LEN && *len >= n + TAG_LEN);
	memcpy(out, in, n);
	memcpy(out + n, TAG, TAG_LEN);
	*len = n + TAG_LEN;
	return CKR_OK;
}

static CK_RV
decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR len)
{
	(void)session;
	must(n == DEK_LEN + TAG_LEN && *len >= DEK_LEN);
	if (memcmp(in + DEK_LEN, TAG, TAG_LEN) != 0)
		return CKR_GENERAL_ERROR;
	memcpy(out, in, DEK_LEN);
	*len = DEK_LEN;
	return CKR_OK;
}

static CK_RV
open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
    CK_SESSION_HANDLE_PTR ret)
{
	(void)slot;
	(void)flags;
	(void)app;
	(void)notify;
	*ret = 7;
	return CKR_OK;
}

static CK_RV
close_session(CK_SESSION_HANDLE session)
{
	(void)session;
	return CKR_OK;
}

static CK_RV
session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR ret)
{
	(void)session;
	*ret = (CK_SESSION_INFO){ .state = CKS_RW_USER_FUNCTIONS };
	return CKR_OK;
}

static CK_OBJECT_HANDLE found;

static CK_RV
find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR a, CK_ULONG n)
{
	(void)session;
	must(n == 4 && a[3].type == CKA_ID);
	found = *(CK_OBJECT_CLASS *)a[0].pValue == CKO_PRIVATE_KEY ? 0 :
	    memcmp(a[3].pValue, GRANT, KEK_ID_LEN) == 0 ? 1 : 2;
	return CKR_OK;
}

static CK_RV
find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR ret, CK_ULONG max, CK_ULONG_PTR n)
{
	(void)session;
	must(max == 2);
	*ret = found;
	*n = found != 0;
	return CKR_OK;
}

static CK_RV
copy(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE from, CK_ATTRIBUTE_PTR a, CK_ULONG n,
    CK_OBJECT_HANDLE_PTR ret)
{
	(void)session;
	(void)from;
	(void)a;
	(void)n;
	(void)ret;
	return CKR_FUNCTION_NOT_SUPPORTED;
}

/* No key pair can be made with it: questions about them are read, and end there. */
static CK_RV
generate(CK_SESSION_HANDLE session, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR a, CK_ULONG n,
    CK_ATTRIBUTE_PTR b, CK_ULONG k, CK_OBJECT_HANDLE_PTR ret, CK_OBJECT_HANDLE_PTR ret2)
{
	(void)session;
	(void)m;
	(void)ret;
	(void)ret2;
	must(n >= 4 && k >= 5 && a[1].ulValueLen == KEK_ID_LEN && b[0].ulValueLen == KEK_ID_LEN);
	return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV
create(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR a, CK_ULONG n, CK_OBJECT_HANDLE_PTR ret)
{
	(void)session;
	(void)ret;
	must(n > 6 && a[2].ulValueLen == KEK_ID_LEN);
	return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV
wrap(struct module *m, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, unsigned char *iv,
    struct slice aad, const unsigned char *dek, unsigned char *out, CK_ULONG *len)
{
	(void)m;
	(void)key;
	(void)iv;
	(void)aad;
	return encrypt(session, (CK_BYTE_PTR)dek, DEK_LEN, out, len);
}

static const struct mech_row row = { .name = "AES-GCM", .type = CKM_AES_GCM,
	.iv_mode = IV_APPLICATION, .iv_len = NONCE_LEN, .wrapped_len = DEK_LEN + TAG_LEN,
	.wrap = wrap };

/* ---- the role */

static void
bound(size_t i, const char *id, enum purpose p)
{
	struct binding_kek *b = &hsm.binding.kek[i];

	*b = (struct binding_kek){ .purpose = p, .generation = 1, .current = true };
	memcpy(b->id, id, sizeof b->id);
	hsm.kek[i] = (struct kek){ b, &row, i + 1 };
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static CK_FUNCTION_LIST f = { .C_EncryptInit = init, .C_Encrypt = encrypt,
		.C_DecryptInit = init, .C_Decrypt = decrypt, .C_OpenSession = open_session,
		.C_CloseSession = close_session, .C_GetSessionInfo = session_info,
		.C_FindObjectsInit = find_init, .C_FindObjects = find,
		.C_FindObjectsFinal = close_session, .C_CopyObject = copy,
		.C_GenerateKeyPair = generate, .C_CreateObject = create };
	static char dir[] = "/tmp/fuzz-hsm.XXXXXX";
	struct err e;

	(void)argc;
	(void)argv;
	log_init("fuzz", LOG_LEVEL_ERROR);
	hsm.module.f = &f;
	hsm.conf.state_dir = mkdtemp(dir);
	hsm.conf.pairs_max = 10;
	hsm.module.call_ms = 5000;
	hsm.binding.vault = (struct id){ { 1 } };
	hsm.binding.n = 2;
	bound(0, GRANT, PURPOSE_GRANT);
	bound(1, RELEASE, PURPOSE_RELEASE);
	return secret_arena_init(1 << 20, true, &e);
}

/* An unwrapped key on the line of vaultd: the wrap, in the question, is of the release KEK. */
static void
check_pair(const struct frame *q, const struct frame *a)
{
	struct slice text;
	struct err e = { 0 };
	struct msg m;

	must(a->id == q->id && (a->op == FRAME_OK || a->op == FRAME_ERR));
	msg_read(&m, a->body);
	if (a->op == FRAME_ERR)
		msg_get_err(&m, &e);
	must(!m.failed && (a->op == FRAME_OK) == (e.code == 0));
	if (a->op == FRAME_ERR || line == LINE_EGRESS) {
		must(a->op == FRAME_ERR || q->op != KEY_REWRAP);
		return;
	}
	msg_read(&m, q->body);
	msg_get_raw(&m, 1 + sizeof(struct id) + 4 + 2);
	text = msg_get_raw(&m, KEK_ID_LEN);
	must(q->op != KEY_UNWRAP || memcmp(text.p, RELEASE, KEK_ID_LEN) == 0);
}

static void
check_answers(int fd, struct slice questions)
{
	static unsigned char in[1 << 20];
	struct slice rest = { in, 0 };
	struct frame q, a;
	ssize_t n;

	while ((n = recv(fd, in + rest.len, sizeof in - rest.len, MSG_DONTWAIT)) > 0)
		rest.len += (size_t)n;
	while ((n = frame_parse(rest, &a)) > 0) {
		ssize_t k = frame_parse(questions, &q);

		must(k > 0);
		check_pair(&q, &a);
		rest = (struct slice){ (const char *)rest.p + n, rest.len - (size_t)n };
		questions = (struct slice){ (const char *)questions.p + k,
			questions.len - (size_t)k };
	}
	must(rest.len == 0);
}

static void
start(int fd)
{
	hsm.state = KEY_READY;
	hsm.leave = hsm.stay = false;
	hsm.started_ms = hsm.probed_ms = boot_ms();
	s = (struct serve){ .h = &hsm, .signals = -1, .report_ms = boot_ms() + 60000 };
	for (int i = 0; i < 2; i++) {
		s.line[i].line = i == 0 ? LINE_VAULTD : LINE_EGRESS;
		s.line[i].listener = -1;
		for (int k = 0; k < SERVE_CONNS; k++)
			s.line[i].conn[k].fd = -1;
	}
	s.line[line == LINE_VAULTD ? 0 : 1].conn[0].fd = fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct serve_conn *c;
	int sv[2];

	if (n == 0 || n > 8192)
		return 0;
	line = p[0] % 2 == 0 ? LINE_VAULTD : LINE_EGRESS;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	must(write(sv[1], p + 1, n - 1) == (ssize_t)(n - 1));
	shutdown(sv[1], SHUT_WR);
	start(sv[0]);
	c = &s.line[line == LINE_VAULTD ? 0 : 1].conn[0];
	for (int i = 0; i < 2000 && c->fd >= 0; i++)
		must(serve_run(&s, 0) == SERVE_TIMEOUT);
	must(c->fd < 0 && !hsm.leave && hsm.state == KEY_READY);
	check_answers(sv[1], (struct slice){ p + 1, n - 1 });
	close(sv[1]);
	must(secret_in_use() == 0);
	return 0;
}
