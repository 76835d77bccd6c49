/* Asks one question at a time on each of many connections, as redis-benchmark does, and tells how fast the answers came.
 *
 * storm PORT CONNECTIONS COUNT ENDS < REQUESTS: requests end with a NUL; an answer is whole when what was read ends with
 * ENDS. It prints answers a second, and the median and the 99th percentile of their times in microseconds. One thread, no
 * allocation while the clock runs: against a server that answers from memory it is the faster of the two.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1024, ROOM = 16384 };

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int by_size(const void *one, const void *other) {
  double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

static int connected(int port) {
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int on = 1, made = socket(AF_INET, SOCK_STREAM, 0);
  if (made < 0 || connect(made, (struct sockaddr *)&place, sizeof place)) fail("connect");
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return made;
}

int main(int given, char **with) {
  if (given != 5) return 2;
  int port = atoi(with[1]), connections = atoi(with[2]), count = atoi(with[3]);
  size_t ends = strlen(with[4]);
  if (connections < 1 || connections > MOST || count < connections) return 2;

  size_t size = 0, room = 1 << 26;
  char *text = malloc(room);
  for (ssize_t got; (got = read(0, text + size, room - size)) > 0;) size += got;
  char **requests = malloc(sizeof *requests * (size / 2 + 1));
  size_t *lengths = malloc(sizeof *lengths * (size / 2 + 1)), many = 0;
  for (char *at = text; at < text + size; at += lengths[many++] + 1) {
    requests[many] = at;
    lengths[many] = strnlen(at, text + size - at);
  }
  if (!many) return 2;

  static double sent_at[MOST];
  static int sockets[MOST];
  static char answer[ROOM];
  double *times = malloc(sizeof *times * count);
  int epoll = epoll_create1(0), sent = 0, done = 0;
  for (int one = 0; one < connections; one++) {
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = one};
    sockets[one] = connected(port);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[one], &wanted)) fail("epoll_ctl");
  }
  double begun = now();
  for (int one = 0; one < connections; one++, sent++) {
    sent_at[one] = now();
    if (send(sockets[one], requests[sent % many], lengths[sent % many], 0) < 0) fail("send");
  }
  while (done < count) {
    struct epoll_event ready[MOST];
    int some = epoll_wait(epoll, ready, MOST, 10000);
    if (some == 0) errno = ETIMEDOUT;
    if (some <= 0) fail("no answer");
    for (int place = 0; place < some && done < count; place++) {
      int one = ready[place].data.u32;
      ssize_t got = recv(sockets[one], answer, ROOM, 0);
      if (got <= 0) fail("the server closed");
      if ((size_t)got < ends || memcmp(answer + got - ends, with[4], ends)) continue;
      double at = now();
      times[done++] = at - sent_at[one];
      if (sent < count) {
        sent_at[one] = at;
        if (send(sockets[one], requests[sent % many], lengths[sent % many], 0) < 0) fail("send");
        sent++;
      }
    }
  }
  double took = now() - begun;
  qsort(times, count, sizeof *times, by_size);
  printf("%.0f %.1f %.1f\n", count / took * 1e6, times[count / 2], times[(long long)count * 99 / 100]);
  return 0;
}
