#include "mqtt.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT = 1, CONNACK, PUBLISH, SUBSCRIBE = 8, PINGREQ = 12, DISCONNECT = 14 };

static int send_all(mqtt *m, const uint8_t *p, size_t n) {
  while (n > 0) {
    ssize_t k = send(m->fd, p, n, MSG_NOSIGNAL);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return 0;
    p += k;
    n -= (size_t)k;
  }
  return 1;
}

static uint8_t *put_string(uint8_t *p, const void *s, size_t n) {
  *p++ = (uint8_t)(n >> 8);
  *p++ = (uint8_t)n;
  memcpy(p, s, n);
  return p + n;
}

/* packet sends a fixed header and its body. */
static int packet(mqtt *m, uint8_t first, const uint8_t *body, size_t n) {
  uint8_t head[5];
  size_t k = 0, left = n;
  head[k++] = first;
  do {
    head[k] = (uint8_t)(left % 128);
    left /= 128;
    if (left > 0) head[k] |= 128;
    k++;
  } while (left > 0);
  return send_all(m, head, k) && send_all(m, body, n);
}

/* drop takes the first n bytes out of the buffer. */
static void drop(mqtt *m, size_t n) {
  m->have -= n;
  memmove(m->in, m->in + n, m->have);
}

/* take handles the whole packets in the buffer; *type is the last one's. Messages that
 * are longer than the buffer are read past: anybody may send one where the broker has no
 * rules. */
static int take(mqtt *m, int *type) {
  for (;;) {
    size_t length = 0, shift = 0, at = 1;
    const uint8_t *p = m->in;
    if (m->skip > 0) {
      size_t n = m->skip < m->have ? m->skip : m->have;
      m->skip -= n;
      drop(m, n);
      if (m->skip > 0) return 1;
    }
    for (;; at++) {
      if (at >= m->have) return m->have < sizeof m->in;
      length |= (size_t)(p[at] & 127) << shift;
      shift += 7;
      if (!(p[at] & 128)) break;
      if (at == 4) return 0;
    }
    at++;
    if (at + length > sizeof m->in) {
      if (p[0] >> 4 != PUBLISH) return 0;
      m->skip = at + length;
      continue;
    }
    if (m->have < at + length) return 1;
    *type = p[0] >> 4;
    if (*type == CONNACK && (length != 2 || p[at + 1] != 0)) return 0;
    if (*type == PUBLISH) {
      size_t qos = p[0] >> 1 & 3, topic;
      if (length < 2) return 0;
      topic = (size_t)p[at] << 8 | p[at + 1];
      if (2 + topic + (qos ? 2 : 0) > length) return 0;
      if (qos == 0 && m->message) m->message(m->context, (const char *)p + at + 2, topic, p + at + 2 + topic, length - 2 - topic);
    }
    drop(m, at + length);
  }
}

static int wait_for(mqtt *m, int ms, int *type) {
  struct pollfd f = {.fd = m->fd, .events = POLLIN};
  ssize_t k;
  int r = poll(&f, 1, ms);
  if (r == 0 || (r < 0 && errno == EINTR)) return 1;
  if (r < 0) return 0;
  k = recv(m->fd, m->in + m->have, sizeof m->in - m->have, 0);
  if (k <= 0) return 0;
  m->have += (size_t)k;
  return take(m, type);
}

int mqtt_wait(mqtt *m, int ms) {
  int type = 0;
  return wait_for(m, ms, &type);
}

int mqtt_connect(mqtt *m, const char *host, const char *port, const char *client, const char *user, const char *password) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *a;
  uint8_t body[1024], *p;
  int one = 1, type = 0, tries;
  m->fd = -1;
  m->have = 0;
  m->skip = 0;
  if (getaddrinfo(host, port, &hints, &list) != 0) return 0;
  for (a = list; a && m->fd < 0; a = a->ai_next) {
    m->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (m->fd >= 0 && connect(m->fd, a->ai_addr, a->ai_addrlen) != 0) mqtt_close(m);
  }
  freeaddrinfo(list);
  if (m->fd < 0) return 0;
  setsockopt(m->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (strlen(client) + (user ? strlen(user) + strlen(password) : 0) > sizeof body - 32) return 0;
  p = put_string(body, "MQTT", 4);
  *p++ = 4;
  *p++ = user ? 0xc2 : 0x02;
  *p++ = 0;
  *p++ = 60;
  p = put_string(p, client, strlen(client));
  if (user) {
    p = put_string(p, user, strlen(user));
    p = put_string(p, password, strlen(password));
  }
  if (!packet(m, CONNECT << 4, body, (size_t)(p - body))) return 0;
  for (tries = 0; tries < 50 && type != CONNACK; tries++) {
    if (!wait_for(m, 200, &type)) return 0;
  }
  return type == CONNACK;
}

int mqtt_subscribe(mqtt *m, const char *topic) {
  uint8_t body[512], *p;
  if (strlen(topic) > sizeof body - 8) return 0;
  body[0] = 0;
  body[1] = 1;
  p = put_string(body + 2, topic, strlen(topic));
  *p++ = 0;
  return packet(m, SUBSCRIBE << 4 | 2, body, (size_t)(p - body));
}

int mqtt_publish(mqtt *m, const char *topic, const void *payload, size_t n, int retain) {
  uint8_t body[1024], *p;
  if (strlen(topic) + n > sizeof body - 2) return 0;
  p = put_string(body, topic, strlen(topic));
  memcpy(p, payload, n);
  return packet(m, (uint8_t)(PUBLISH << 4 | (retain ? 1 : 0)), body, (size_t)(p + n - body));
}

int mqtt_ping(mqtt *m) { return packet(m, PINGREQ << 4, 0, 0); }

void mqtt_close(mqtt *m) {
  if (m->fd >= 0) close(m->fd);
  m->fd = -1;
}
