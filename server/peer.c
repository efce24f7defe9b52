#include "server/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/text.h"

struct address {
	unsigned char bytes[16];
};

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool
parse_address(const char *s, struct address *address)
{
	memcpy(address->bytes, mapped, sizeof(mapped));
	return inet_pton(AF_INET, s, address->bytes + sizeof(mapped)) == 1 ||
	       inet_pton(AF_INET6, s, address->bytes) == 1;
}

static const char *
address_text(struct ctx *ctx, const struct address *address)
{
	bool four = memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(four ? AF_INET : AF_INET6, four ? address->bytes + sizeof(mapped) : address->bytes, text,
	    sizeof(text));
	return ctx_strdup(ctx, text);
}

static bool
parse_network(struct ctx *ctx, const char *s, struct peer_network *network)
{
	const char *slash = strchr(s, '/');
	const char *host = slash != NULL ? ctx_strndup(ctx, s, (size_t)(slash - s)) : s;
	bool four = strchr(host, ':') == NULL;
	int64_t bits = four ? 32 : 128;
	struct address address;

	if (!parse_address(host, &address) ||
	    (slash != NULL && (!text_to_i64(slash + 1, &bits) || bits < 0 || bits > (four ? 32 : 128))))
		return false;
	memcpy(network->address, address.bytes, sizeof(network->address));
	network->bits = (int)bits + (four ? 96 : 0);
	return true;
}

bool
peers_parse(struct ctx *ctx, const char *text, struct peers *trusted)
{
	*trusted = (struct peers){0};
	if (text == NULL)
		return true;
	trusted->networks = ctx_alloc_array(ctx, strlen(text) + 1, sizeof(*trusted->networks));
	for (const char *s = text + strspn(text, ", "); *s != '\0'; s += strspn(s, ", ")) {
		size_t length = strcspn(s, ", ");
		const char *item = ctx_strndup(ctx, s, length);

		if (!parse_network(ctx, item, &trusted->networks[trusted->count++]))
			return fail(ctx, FAIL_CONFIG_INVALID,
			    "LOADSTAR_TRUSTED_PROXIES has %s, but must be addresses and networks such as 10.0.0.0/8",
			    text_sanitize(ctx, item));
		s += length;
	}
	return true;
}

static bool
is_trusted(const struct peers *trusted, const struct address *address)
{
	for (size_t i = 0; i < trusted->count; i++) {
		const struct peer_network *network = &trusted->networks[i];
		size_t whole = (size_t)network->bits / 8;
		unsigned rest = (unsigned)network->bits % 8;
		unsigned char mask = (unsigned char)(0xff00U >> rest);

		if (memcmp(network->address, address->bytes, whole) == 0 &&
		    (rest == 0 || ((network->address[whole] ^ address->bytes[whole]) & mask) == 0))
			return true;
	}
	return false;
}

/* 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1]:80, each also in quotes. */
static bool
parse_node(struct ctx *ctx, const char *s, size_t length, struct address *address)
{
	char *node = ctx_strndup(ctx, s, length), *end;

	node += strspn(node, " \t\"");
	node[strcspn(node, " \t\"")] = '\0';
	if (*node == '[') {
		end = strchr(++node, ']');
		if (end == NULL)
			return false;
		*end = '\0';
	} else if ((end = strchr(node, ':')) != NULL && strchr(end + 1, ':') == NULL) {
		*end = '\0';
	}
	return parse_address(node, address);
}

/* The node of a Forwarded element: the value of its `for`. */
static bool
parse_element(struct ctx *ctx, const char *s, size_t length, struct address *address)
{
	const char *element = ctx_strndup(ctx, s, length);

	while (*element != '\0') {
		size_t part = strcspn(element, ";"), blank = strspn(element, " \t");

		if (strncasecmp(element + blank, "for=", 4) == 0)
			return parse_node(ctx, element + blank + 4, part - blank - 4, address);
		element += part + (element[part] == ';');
	}
	return false;
}

typedef bool parser(struct ctx *ctx, const char *s, size_t length, struct address *address);

/* From the last element, which the nearest proxy wrote, to the first. What cannot be read ends the walk. */
static struct address
walk(struct ctx *ctx, const struct peers *trusted, struct address client, const char *list, parser *parse)
{
	size_t end = strlen(list);

	while (end > 0 && is_trusted(trusted, &client)) {
		size_t start = end;
		struct address next;

		while (start > 0 && list[start - 1] != ',')
			start--;
		if (!parse(ctx, list + start, end - start, &next))
			break;
		client = next;
		end = start > 0 ? start - 1 : 0;
	}
	return client;
}

static bool
socket_address(const struct sockaddr *peer, struct address *address)
{
	memcpy(address->bytes, mapped, sizeof(mapped));
	if (peer != NULL && peer->sa_family == AF_INET)
		memcpy(address->bytes + sizeof(mapped), &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
	else if (peer != NULL && peer->sa_family == AF_INET6)
		memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
	else
		return false;
	return true;
}

const char *
peers_client(struct ctx *ctx, const struct peers *trusted, const struct sockaddr *peer, const char *forwarded_for,
    const char *forwarded)
{
	struct address own, client, other;

	if (!socket_address(peer, &own))
		return "";
	client = walk(ctx, trusted, own, forwarded_for != NULL ? forwarded_for : "", parse_node);
	other = walk(ctx, trusted, own, forwarded != NULL ? forwarded : "", parse_element);
	if (forwarded_for == NULL)
		client = other;
	else if (forwarded != NULL && memcmp(&client, &other, sizeof(client)) != 0)
		client = own;
	return address_text(ctx, &client);
}
