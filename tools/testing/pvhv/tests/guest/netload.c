// SPDX-License-Identifier: GPL-2.0
/*
 * netload - load for a network, with data that the receiver can verify.
 *
 *	netload serve PORT			TCP and UDP, IPv4 and IPv6, until it is killed
 *	netload transfer HOST PORT UP DOWN	one connection; bytes each way, verified
 *	netload connects HOST PORT NR AT-ONCE	NR connections of 256 bytes each way
 *	netload rr HOST PORT SECONDS		round trips of one byte; prints them per second
 *	netload datagrams HOST PORT NR BYTES	one at a time, each must come back the same
 *	netload flood HOST PORT NR BYTES	NR datagrams from as many sockets as it takes
 *	netload join GROUP PORT			waits for one datagram to GROUP
 *	netload cast GROUP PORT INTERFACE	sends it, ten times a second for 10 seconds
 *
 * The status tells whether all went well.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK		(256 * 1024)
#define SERVERS		16	/* connections at a time */
#define PATIENCE	120	/* seconds without progress */

/* What a client asks the server for: it sends UP bytes, and wants DOWN */
struct request {
	uint64_t seed;
	uint64_t up;
	uint64_t down;
	uint64_t echo;	/* bytes of a round trip; the other two are 0 */
};

static uint64_t next(uint64_t *state)
{
	/* xorshift64 */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void all(int fd, void *buf, size_t len, int out)
{
	char *p = buf;

	while (len) {
		ssize_t n = out ? send(fd, p, len, MSG_NOSIGNAL) : recv(fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err(1, out ? "send" : "recv");
		if (!n)
			errx(1, "connection closed with %zu bytes to come", len);
		p += n;
		len -= n;
	}
}

static void fill(uint64_t *buf, size_t words, uint64_t *state)
{
	for (size_t i = 0; i < words; i++)
		buf[i] = next(state);
}

/*
 * A stream of so many bytes, a multiple of 8. A process has one at a time; from malloc() the
 * buffers would be mapped for each connection.
 */
static void stream_out(int fd, uint64_t seed, uint64_t bytes)
{
	static uint64_t buf[CHUNK / 8];

	while (bytes) {
		size_t n = bytes < CHUNK ? bytes : CHUNK;

		fill(buf, n / 8, &seed);
		all(fd, buf, n, 1);
		bytes -= n;
	}
}

static void stream_in(int fd, uint64_t seed, uint64_t bytes)
{
	static uint64_t buf[CHUNK / 8], want[CHUNK / 8];
	uint64_t at = 0;

	while (at < bytes) {
		size_t n = bytes - at < CHUNK ? bytes - at : CHUNK;

		all(fd, buf, n, 0);
		fill(want, n / 8, &seed);
		for (size_t i = 0; i < n / 8; i++)
			if (buf[i] != want[i])
				errx(1, "wrong data at byte %llu of %llu",
				     (unsigned long long)(at + i * 8), (unsigned long long)bytes);
		at += n;
	}
}

static void patience(int fd)
{
	struct timeval tv = { .tv_sec = PATIENCE };
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* ---- server ---- */

static void serve_stream(int fd)
{
	struct request r;
	uint64_t answer;
	char byte;

	patience(fd);
	all(fd, &r, sizeof(r), 0);
	if (r.echo) {
		while (recv(fd, &byte, 1, 0) == 1)
			all(fd, &byte, 1, 1);
		return;
	}
	stream_in(fd, r.seed, r.up);
	/* The client knows that all of it was right. */
	answer = ~r.seed;
	all(fd, &answer, sizeof(answer), 1);
	stream_out(fd, ~r.seed, r.down);
}

static void serve_datagram(int fd)
{
	static char buf[65536];
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &len);

	if (n >= 0)
		sendto(fd, buf, n, 0, (void *)&from, len);
}

static int bound(int type, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), one = 1, zero = 0;

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (void *)&a, sizeof(a)))
		err(1, "bind");
	return fd;
}

/* A process that does not survive us */
static pid_t child(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static int serve(int port)
{
	int stream = bound(SOCK_STREAM, port), datagram = bound(SOCK_DGRAM, port);

	if (listen(stream, 512))
		err(1, "listen");
	if (!child())
		for (;;)
			serve_datagram(datagram);
	/* A connection that fails ends its server; there is another. */
	for (int i = 0; ; i++) {
		if (i >= SERVERS)
			wait(NULL);
		if (!child()) {
			for (;;) {
				int fd = accept(stream, NULL, NULL);

				if (fd < 0)
					continue;
				serve_stream(fd);
				close(fd);
			}
		}
	}
}

/* ---- clients ---- */

static int connected(const char *host, const char *port, int type)
{
	struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICHOST }, *a;
	int fd;

	if (getaddrinfo(host, port, &hints, &a))
		errx(1, "%s: no address", host);
	fd = socket(a->ai_family, type, 0);
	if (fd < 0)
		err(1, "socket");
	patience(fd);
	if (connect(fd, a->ai_addr, a->ai_addrlen))
		err(1, "connect");
	freeaddrinfo(a);
	return fd;
}

static uint64_t seed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((t.tv_sec * 1000000007ULL + t.tv_nsec) ^ ((uint64_t)getpid() << 40)) | 1;
}

static void transfer(const char *host, const char *port, uint64_t up, uint64_t down)
{
	struct request r = { .seed = seed(), .up = up & ~7ULL, .down = down & ~7ULL };
	int fd = connected(host, port, SOCK_STREAM);
	uint64_t answer;

	all(fd, &r, sizeof(r), 1);
	stream_out(fd, r.seed, r.up);
	all(fd, &answer, sizeof(answer), 0);
	if (answer != ~r.seed)
		errx(1, "wrong answer");
	stream_in(fd, ~r.seed, r.down);
	close(fd);
}

static int connects(const char *host, const char *port, int nr, int at_once)
{
	int failed = 0, status;

	for (int i = 0; i < at_once; i++) {
		if (!fork()) {
			for (int k = i; k < nr; k += at_once)
				transfer(host, port, 256, 256);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	return !!failed;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int rr(const char *host, const char *port, double seconds)
{
	struct request r = { .seed = 1, .echo = 1 };
	int fd = connected(host, port, SOCK_STREAM);
	double start = now(), end;
	unsigned long n = 0;
	char byte = 1;

	all(fd, &r, sizeof(r), 1);
	do {
		all(fd, &byte, 1, 1);
		all(fd, &byte, 1, 0);
		n++;
		end = now();
	} while (end < start + seconds);
	printf("%.0f\n", n / (end - start));
	return 0;
}

static int datagrams(const char *host, const char *port, int nr, size_t len)
{
	int fd = connected(host, port, SOCK_DGRAM), lost = 0;
	char *buf = malloc(len), *back = malloc(65536);
	struct timeval tv = { .tv_sec = 2 };
	uint64_t state = seed();

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	for (int i = 0; i < nr; i++) {
		ssize_t n;

		for (size_t k = 0; k < len; k++)
			buf[k] = next(&state);
		if (send(fd, buf, len, 0) != (ssize_t)len)
			err(1, "send");
		n = recv(fd, back, 65536, 0);
		if (n < 0) {
			lost++;
			continue;
		}
		if (n != (ssize_t)len || memcmp(buf, back, len))
			errx(1, "datagram %d: wrong data", i);
	}
	printf("%d of %d lost\n", lost, nr);
	return lost > 0;
}

/* So many datagrams, and not a look at what comes of them. A socket that is full stays so. */
static int flood(const char *host, const char *port, int nr, size_t len)
{
	int fd = connected(host, port, SOCK_DGRAM), sockets = 1, sent = 0;
	char *buf = calloc(1, len);

	while (sent < nr && sockets < 1000) {
		if (send(fd, buf, len, MSG_DONTWAIT) == (ssize_t)len) {
			sent++;
			continue;
		}
		if (errno == EAGAIN || errno == ENOBUFS) {
			fd = connected(host, port, SOCK_DGRAM);
			sockets++;
		} else if (errno != ECONNREFUSED) {
			err(1, "send");
		}
	}
	printf("%d sent\n", sent);
	return sent < nr;
}

static int join(const char *group, int port)
{
	struct ip_mreqn m = { .imr_multiaddr.s_addr = inet_addr(group) };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr = m.imr_multiaddr };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct timeval tv = { .tv_sec = 20 };
	char buf[16];

	m.imr_ifindex = if_nametoindex(getenv("INTERFACE") ?: "eth0");
	if (bind(fd, (void *)&a, sizeof(a)) ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)))
		err(1, "join");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (recv(fd, buf, sizeof(buf), 0) != 4 || memcmp(buf, "cast", 4))
		errx(1, "nothing came");
	return 0;
}

static int cast(const char *group, int port, const char *interface)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = inet_addr(group) };
	struct ip_mreqn m = { .imr_ifindex = if_nametoindex(interface) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)))
		err(1, "interface");
	for (int i = 0; i < 100; i++) {
		if (sendto(fd, "cast", 4, 0, (void *)&a, sizeof(a)) != 4)
			err(1, "cast");
		usleep(100000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "serve") && argc == 3)
		return serve(atoi(argv[2]));
	if (!strcmp(what, "transfer") && argc == 6) {
		transfer(argv[2], argv[3], strtoull(argv[4], NULL, 0), strtoull(argv[5], NULL, 0));
		return 0;
	}
	if (!strcmp(what, "connects") && argc == 6)
		return connects(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
	if (!strcmp(what, "rr") && argc == 5)
		return rr(argv[2], argv[3], atof(argv[4]));
	if (!strcmp(what, "datagrams") && argc == 6)
		return datagrams(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
	if (!strcmp(what, "flood") && argc == 6)
		return flood(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
	if (!strcmp(what, "join") && argc == 4)
		return join(argv[2], atoi(argv[3]));
	if (!strcmp(what, "cast") && argc == 5)
		return cast(argv[2], atoi(argv[3]), argv[4]);
	errx(2, "see netload.c");
}
