/* Preloaded into the daemon by adversity.rs: calls on its clients' sockets are interrupted, reads
 * and writes come back short.
 *
 * A short read leaves bytes behind, and an edge-triggered reader that takes a short read for an
 * empty socket would never hear of them. A kernel that delivers the rest a moment later tells of
 * it, so this library does too: it arms the descriptor again, which makes epoll report what is
 * there. All that the daemon sees could have come from a slow network and many signals.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS 4096

/* A client's socket, and how it is watched. */
static struct { int is_client, epoll; struct epoll_event event; } known[DESCRIPTORS];
static unsigned long interrupted, short_reads, short_writes;
static unsigned long long state = 88172645463325252ULL;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static unsigned chance(unsigned percent)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % 100 < percent;
}

static size_t some_of(size_t count)
{
    chance(0);
    return 1 + state % (count - 1);
}

static int is_client(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS && known[fd].is_client;
}

static int interrupts(void)
{
    if (!chance(10)) return 0;
    interrupted++;
    errno = EINTR;
    return 1;
}

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    if (interrupts()) return -1;
    int client = REAL(accept4)(fd, address, len, flags);
    if (client >= 0 && client < DESCRIPTORS) known[client].is_client = 1;
    return client;
}

int close(int fd)
{
    if (is_client(fd)) known[fd].is_client = 0;
    return REAL(close)(fd);
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    if (is_client(fd) && event) {
        known[fd].epoll = epoll;
        known[fd].event = *event;
    }
    return REAL(epoll_ctl)(epoll, op, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    return interrupts() ? -1 : REAL(epoll_wait)(epoll, events, max, timeout);
}

ssize_t recv(int fd, void *bytes, size_t count, int flags)
{
    if (!is_client(fd)) return REAL(recv)(fd, bytes, count, flags);
    if (interrupts()) return -1;
    int cut = count > 1 && chance(30);
    ssize_t got = REAL(recv)(fd, bytes, cut ? some_of(count) : count, flags);
    if (cut && got > 0) {
        short_reads++;
        REAL(epoll_ctl)(known[fd].epoll, EPOLL_CTL_MOD, fd, &known[fd].event);
    }
    return got;
}

ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
    if (!is_client(fd)) return REAL(send)(fd, bytes, count, flags);
    if (interrupts()) return -1;
    int cut = count > 1 && chance(30);
    short_writes += cut;
    return REAL(send)(fd, bytes, cut ? some_of(count) : count, flags);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("ADVERSITY_REPORT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) fprintf(file, "%lu %lu %lu\n", interrupted, short_reads, short_writes), fclose(file);
}
