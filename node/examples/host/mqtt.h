/* As much of an MQTT 3.1.1 client as a node needs, over a socket: QoS 0, no
 * retained state of its own. Not thread-safe; every call returns 0 when the
 * connection is lost or the broker says no. */
#ifndef NTSGW_MQTT_H
#define NTSGW_MQTT_H

#include <stddef.h>
#include <stdint.h>

#define MQTT_PACKET_MAX 70000

typedef struct mqtt {
  int fd;
  size_t have;
  size_t skip; /* of a message that is too long to be for us */
  uint8_t in[MQTT_PACKET_MAX];
  void (*message)(void *context, const char *topic, size_t topic_n, const uint8_t *payload, size_t n);
  void *context;
} mqtt;

/* mqtt_connect connects to host and port; user may be null. */
int mqtt_connect(mqtt *m, const char *host, const char *port, const char *client, const char *user, const char *password);

int mqtt_subscribe(mqtt *m, const char *topic);
int mqtt_publish(mqtt *m, const char *topic, const void *payload, size_t n, int retain);
int mqtt_ping(mqtt *m);

/* mqtt_wait waits at most ms for packets and hands their messages over. */
int mqtt_wait(mqtt *m, int ms);

void mqtt_close(mqtt *m);

#endif
