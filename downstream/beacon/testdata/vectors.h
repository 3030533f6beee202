/* Test vectors of the beacon protocol, version 1. Made by: go test ./downstream/beacon -run TestVectors -update
 * The same as vectors.json, for C99. See README.md beside it. */
#ifndef NTSGW_VECTORS_H
#define NTSGW_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#define VECTOR_BEACON 1
#define VECTOR_KEY 2
#define VECTOR_REQUEST 3
#define VECTOR_RESPONSE 4

struct vector_key {
  const char *name;
  int alg;             /* COSE: -19 Ed25519, -9 ES256 */
  const char *secret;  /* hex, 32 bytes */
  const char *public_; /* hex, 32 bytes or the 65-byte point */
  const char *kid;     /* hex, 8 bytes */
};

struct vector_node_key {
  const char *master; /* hex */
  const char *gateway;
  const char *node;
  uint32_t generation;
  const char *key; /* hex, 32 bytes */
  const char *mqtt_password;
};

struct vector_message {
  const char *name;
  int kind;
  int key;             /* index of the vector_keys entry that judges it; -1: vector_node_keys[0] */
  const char *message; /* hex */
  const char *reason;  /* "" when it is to be accepted */
  uint32_t not_before, not_after; /* of a beacon's key, and of a delegation; 0, 0: not asked */
  /* Only where accepted: */
  uint32_t seconds, nanoseconds, error_seconds, error_nanoseconds;
  const char *epoch; /* hex, 8 bytes; "" when absent */
  int state, stratum, leap, tai_offset;
  uint32_t sequence, next;
  const char *nonce; /* hex, 16 bytes; "" when absent */
  uint32_t turnaround, serial;
  uint32_t half_width;
  int has_half_width;
  const char *public_; /* the delegated key, hex; "" when absent */
};

#define VECTOR_GATEWAY "gw1"
#define VECTOR_NODE "node-7"

static const struct vector_key vector_keys[] = {
  {"root-ed25519", -19, "1111111111111111111111111111111111111111111111111111111111111111",
   "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737", "df8534b253850532"},
  {"online-ed25519", -19, "2222222222222222222222222222222222222222222222222222222222222222",
   "a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0", "6ee47c5a2e0e8a09"},
  {"other-ed25519", -19, "3333333333333333333333333333333333333333333333333333333333333333",
   "17cb79fb2b4120f2b1ec65e4198d6e08b28e813feb01e4a400839b85e18080ce", "59722ce26fccf060"},
  {"root-es256", -9, "4444444444444444444444444444444444444444444444444444444444444444",
   "045b36890dacbd7c9a96bb74a1ee28b3d2d75b72e09a20ef25cf8e6fd8a9f0350d0e14bed8d4682a34d83538bdff5b96e89a6666ec0db5745d02fa1210072df75a", "2408bf98f2d0373b"},
  {"online-es256", -9, "5555555555555555555555555555555555555555555555555555555555555555",
   "0457e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ec", "3ff6827ea74822b7"},
};

static const struct vector_node_key vector_node_keys[] = {
  {"6666666666666666666666666666666666666666666666666666666666666666", "gw1", "node-7", 1U,
   "9adac911c8e945dbe8060a62e2d164280f409063e93a7525abfa94d059b9e880", "VSrLfSWUPFUolbCTkjxxKoiM3xDJeDPs9b5VJpYwPfM"},
  {"6666666666666666666666666666666666666666666666666666666666666666", "gw1", "node-7", 2U,
   "8420c963e8caa8b6883e5d83fb02819c7aa3846e82fb8bcc7df260df9039dd4b", "FBvLl7XxbqNBzHDJPW1sPsaJyGdB7q-OIIPlLvUPI1g"},
  {"6666666666666666666666666666666666666666666666666666666666666666", "gw1", "node-8", 1U,
   "fb4c9ff90d13cb0953fe1a7f109250a082ffe19d10489b17df2cc58e5293f58e", "RrytIX7yP1jYEPS6YaMWRTeoz-_UGbmP66gVvaZw2OI"},
  {"6666666666666666666666666666666666666666666666666666666666666666", "gw2", "node-7", 1U,
   "e02c1af7eafe59ea4de3e8a8ec59706a88a4d139dd797ebe1277c45f03750c64", "REKpyHjh1tEwcEp4c7UewtUwuRpFQUd2lv9YFDPiEyI"},
  {"6666666666666666666666666666666666666666666666666666666666666666", "gggggggggggggggg", "nnnnnnnnnnnnnnnn", 4294967295U,
   "31f1850f003144ab30121140e400e6b9e7f291823f61171069907cea55f5017c", "JLmuHE7Vc9qLanzPznQhAHWudE0KvZtXBvC4L8UxpVk"},
};

static const struct vector_message vector_messages[] = {
  {.name = "beacon-ed25519", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "beacon-largest-ed25519", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583ba801d903e9a3011affffffff27a20119ffff281a3b9ac9ff281a3b9ac9ff0248ffffffffffffffff031affffffff0402050f06020718ff0819ffff58403e2dcd91e718c489d3ec4f496f594d20827c7982f09aa306647ed1326dc7b4bad90774c6976a621da23f41a52c807d8222f55d0fd370c414b50932b881e7660d",
   .seconds = 4294967295U,
   .nanoseconds = 999999999U,
   .error_seconds = 65535U,
   .error_nanoseconds = 999999999U,
   .state = 2,
   .stratum = 15,
   .leap = 2,
   .tai_offset = 255,
   .sequence = 4294967295U,
   .next = 65535U,
   .epoch = "ffffffffffffffff", .nonce = "", .public_ = ""},
  {.name = "delegation-ed25519", .kind = VECTOR_KEY, .key = 0, .reason = "", .message =
   "d2844da201320448df8534b253850532a05838a401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac98640584029370ee9ab64e820c5bc3ebc8a12c8ec07d69e9bbf8eedebac916b8edca2e4df895e20e0d261e4ac01e732366206df0ec11950abd764cc6c7e86d479c83f1c09",
   .serial = 3U,
   .not_before = 1789000000U,
   .not_after = 1791592000U,
   .epoch = "", .nonce = "", .public_ = "a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0"},
  {.name = "delegation-largest-ed25519", .kind = VECTOR_KEY, .key = 0, .reason = "", .message =
   "d2844da201320448df8534b253850532a0583ca401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0021affffffff031affffffff041affffffff5840ea55c2326bc204015061b0d01db8c77dead64058a338cd4fb11f0519b479ec2b298ac49438e980c733e052e2e1a26ee9cdf5062c3729a0d2e9cef38133b06b0a",
   .serial = 4294967295U,
   .not_before = 4294967295U,
   .not_after = 4294967295U,
   .epoch = "", .nonce = "", .public_ = "a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0"},
  {.name = "beacon-es256", .kind = VECTOR_BEACON, .key = 4, .reason = "", .message =
   "d2844da2012804483ff6827ea74822b7a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840d92088b7ad13db401cf97e95c069c3feb23928135e2a97ba1003d77047fc0b8acd23a62c7ef4a2cdabb0ad79e2bc8ac8c3a2b835f363431ec9fe50c8299fd058",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "beacon-largest-es256", .kind = VECTOR_BEACON, .key = 4, .reason = "", .message =
   "d2844da2012804483ff6827ea74822b7a0583ba801d903e9a3011affffffff27a20119ffff281a3b9ac9ff281a3b9ac9ff0248ffffffffffffffff031affffffff0402050f06020718ff0819ffff5840bce6fa1ce958defce9841bd2ca1c163239a8eca4e8090629178a13eafac3f23c1bfbb08c75b7dc77e5591d1587d29ac690f8f0b58b5fb3c4f1aadba924fd4d4f",
   .seconds = 4294967295U,
   .nanoseconds = 999999999U,
   .error_seconds = 65535U,
   .error_nanoseconds = 999999999U,
   .state = 2,
   .stratum = 15,
   .leap = 2,
   .tai_offset = 255,
   .sequence = 4294967295U,
   .next = 65535U,
   .epoch = "ffffffffffffffff", .nonce = "", .public_ = ""},
  {.name = "delegation-es256", .kind = VECTOR_KEY, .key = 3, .reason = "", .message =
   "d2844da2012804482408bf98f2d0373ba0585ba401a40102200121582057e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34225820c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ec0203031a6aa1f940041a6ac98640584043cb65d9d0cdb74a1e0ebf7f6da874ecd5e125631dff96f5b74c2e135a484dac5a3a21c421458def9e8b72621f08058a7cb95e9161ecd053945199883ae616ba",
   .serial = 3U,
   .not_before = 1789000000U,
   .not_after = 1791592000U,
   .epoch = "", .nonce = "", .public_ = "0457e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ec"},
  {.name = "delegation-largest-es256", .kind = VECTOR_KEY, .key = 3, .reason = "", .message =
   "d2844da2012804482408bf98f2d0373ba0585fa401a40102200121582057e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34225820c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ec021affffffff031affffffff041affffffff5840fe33bca85c522e6b6dd371bee1c8b4efebd4248b77a1292b811c1a09a86c9015fd9f44864fbbb4faa4bc6b4194ea7e115f8abd81e09ee182361e66445bc9b49d",
   .serial = 4294967295U,
   .not_before = 4294967295U,
   .not_after = 4294967295U,
   .epoch = "", .nonce = "", .public_ = "0457e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ec"},
  {.name = "beacon-smallest", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05826a801d903e9a3010027a2010028002800024800000000000000000300040105010600070008005840fe7f59059aa06b68a12ad21768759d6b7bf77a40af93490e81ebf3a91ec1dad48ab079299529721ebdfa1ee09ad8e84da100825473b67741d1135de167d60603",
   .seconds = 0U,
   .nanoseconds = 0U,
   .error_seconds = 0U,
   .error_nanoseconds = 0U,
   .state = 1,
   .stratum = 1,
   .leap = 0,
   .tai_offset = 0,
   .sequence = 0U,
   .next = 0U,
   .epoch = "0000000000000000", .nonce = "", .public_ = ""},
  {.name = "beacon-leap-deleted-holdover", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803080402050206200718250810584055b87e2dc0515d90be3f3a0dffe81e7f8f401775d079571fce4302fb00e0b2f23321d3dc47f223ea98c54a55b51c8f04a77086d52d7b1aa75273cf58f21e7f06",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 2,
   .stratum = 2,
   .leap = -1,
   .tai_offset = 37,
   .sequence = 8U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "request", .kind = VECTOR_REQUEST, .key = -1, .reason = "", .message =
   "d18449a20105044400000001a053a109500303030303030303030303030303030358204474f1a0688c844d43f66333d91b36af1e57fcdc3c51f927c4b28752055b6821",
   .epoch = "", .nonce = "03030303030303030303030303030303", .public_ = ""},
  {.name = "request-telemetry", .kind = VECTOR_REQUEST, .key = -1, .reason = "", .message =
   "d18449a20105044400000001a057a20950030303030303030303030303030303030d1961a8582085ca7b7adbad79e1da826eac04d1598481e96cee416ec2883d6cd28fc621533b",
   .half_width = 25000U, .has_half_width = 1,
   .epoch = "", .nonce = "03030303030303030303030303030303", .public_ = ""},
  {.name = "request-largest", .kind = VECTOR_REQUEST, .key = -1, .reason = "", .message =
   "d18449a20105044400000001a05819a20950ffffffffffffffffffffffffffffffff0d1affffffff5820f27c97c696940b4c9963caedfb371a18125ad990884d4fc36679922d1b3c9e9a",
   .half_width = 4294967295U, .has_half_width = 1,
   .epoch = "", .nonce = "ffffffffffffffffffffffffffffffff", .public_ = ""},
  {.name = "response", .kind = VECTOR_RESPONSE, .key = -1, .reason = "", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820e18e7a7ebb7f6b115ae2839ff43d906a59999cd8cc1b2d76e04c16ead5f8af1f",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .turnaround = 812345U,
   .serial = 3U,
   .epoch = "0102030405060708", .nonce = "03030303030303030303030303030303", .public_ = ""},
  {.name = "response-largest", .kind = VECTOR_RESPONSE, .key = -1, .reason = "", .message =
   "d18449a20105044400000001a0584fa901d903e9a3011affffffff27a20119ffff281a3b9ac9ff281a3b9ac9ff0248ffffffffffffffff0402050f06020718ff0950ffffffffffffffffffffffffffffffff0a1affffffff0b1affffffff5820451488fb497b697cc3479076b11b81f9d812d782c3b6b26644e224f6539d7684",
   .seconds = 4294967295U,
   .nanoseconds = 999999999U,
   .error_seconds = 65535U,
   .error_nanoseconds = 999999999U,
   .state = 2,
   .stratum = 15,
   .leap = 2,
   .tai_offset = 255,
   .turnaround = 4294967295U,
   .serial = 4294967295U,
   .epoch = "ffffffffffffffff", .nonce = "ffffffffffffffffffffffffffffffff", .public_ = ""},
  {.name = "skip-unsigned-key", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e01584069dcb6e9b10eea6a7a4df0fff8e83a72b066eeae9e9f3a58e77ae631ed95dfd2e67279a861a4a349365eed6fe5375d95813837f5c46ebde54aaf5633dce9cb00",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-key-12", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100c015840367d0d954f4f89c6ef944fe85b9166d737140d21472d1a968e06ec96f6d9ed1603404ab611fdf68ee3e83dc05169b440b9f24c68e8ac8b34eceba85e3e940e09",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-key-zero", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a9000101d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840cf5cd51b06aa02105f9bc42e74f01813e779fafe647ac07bc123d8d05a452cc0bcea00581352c87c5c1ee7c1f861383a5cf1226ed42c3a63cc5170e3e02a560c",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-large-key", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583da901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508101bffffffffffffffff015840bdc162bcd48b13a65e107ebda2b4951b082ff57620c1ab2077a097eed726fde59c156b0f4a229cbfa5aa977a9e189804432788d08ceb40a1bd9890e0b6371000",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-key-32", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081018200158409fbf3730397a1a83e3cf637bf0d3365664bdcc793796f2e122a97413cd94a8eb9d33d17d065636b700c302e15511e4b22dff457e920bbaa1278263da3e0a1c0a",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-key-33", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081018210158408c8413b6df7b740a2b4e9b4545fdf4ff4e3408657bd1ffae50515274408166464e63ea249ac120bafafdd1a5284f7250cfe89794d01dcb96f31762b8de1d5707",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-key-65-and-257", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583aaa01d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081018410119010101584060deb11e7f9401b80187ad84941bff19d9a8df4ae4ac8186f05b29c291e03b62050b1bd02134ef4aec5419189b76c17e70ca105687769464f2026dac819ca305",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-negative-key", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508102001584066043d84221cfee15ff89d100c187262beab037255bc950fc4f0fc6c4d3558e685579863e9413fc7944534a53c0a8d3624076b5b4cdcab92683823a70d159206",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-least-negative-key", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583da901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508103bffffffffffffffff0158408780b6e4e0567864275835f307cf22a5e98d8db43aad075f7332b3fdc32bf781e6c71f7745014b5430f903dd07b38f49ea42e5553bc0bd5b0d7d3c93e369c804",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-bytes", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e540101010101010101010101010101010101010101584093edf8769dd9adfebb2c5ff41e09727361e01b009e370dfae10c3a207dc7be8d8573f5c0acddf6e5b4be8917123496c9a3022915fa307bc801adf002f4016d08",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-text", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583aa901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e656c61746572584001e4f7e1a0c01d6c5bcf1be00fc5b19d3ffeee8e1656330f40fdd6361785bcaad8e02b68b601b47e06339b680118cffc6b7552d26b7643fd9ef625b1d9212109",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-false-true-null-undefined", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e84f4f5f6f7584057bb9474bdca008e8be066972322e11dff2e95e3114af0b4e4b06b985d0e10b2103f556874914d8497ecd29845b6618a217a65eaaca9e3d9c1a4f1f2773abf0e",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-simple-255", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ef8ff584092ae114f34caa6fcd6c9b16ad48d9388ebbcb1753682cc6b95808c204bf81de09d5b0168727026e734940bde424169bdd8b7ed16b8189847572b24bb7c06e705",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-half-float", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05837a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ef93c005840cb412051306841e4e3948fa037c2c9146db3579e9c77636d7b2448f2e20814a2aef8653bf3fc7013f645b151c8a3e338fdccd384da82e47769bf30be49951900",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-single-float", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100efa47c35000584036d4413516d32b3d349053634903fe2985d4eacb00ee66e75da12f177c4e9aab8f2f7ef0ca16dbda28f1c6af71b67200fccfcc8772b77c26715bc2c4b7bdb707",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-double-float", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583da901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100efb3ff199999999999a58401e9c6aa5fd4d4f725c3641052cab5da3e3a62aae6ec2c330fe797488c02cdfe861d0b509c31bbac4937d684523d0739a75bdb25f6fb6c1365708ca455ab47e04",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-empty-containers", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05837a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e8280a0584014aa38edba842bc2584b9581b9028782c3b4e133a66334988c6dc7c8407bf737787a3780519a0deea8bc05621f63828948c86a74f796a50665d8244e19126f0d",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-depth-4", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e818181810058403da162941f72bb1a6ef1f09286f8158aede1009d398f1a0726a23b713b581aeb73dc81d943b355f578cea8fbbe8a2b50a635fb6aed662a6dea4475a3c75f7804",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-depth-4-tags-and-maps", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583ca901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ed863a101d862810258406afb1908c4659bd45ef97d1e6a5b2717c855cd6aaf8e46edcd8af8649812acb272128d92e0b4d63889d09c9f4375f5e3faed460d92ff2e7ee84a677076d3f90a",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-map-in-order", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583ca901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ea30a001864002000584084c34dc674e32cd973070c396b9e3c8540b5444f655594e2387313d80de126608e17791792d6c83dacb7c4aaf525dc7e90677fbe6a6407c42a1149a94683c50b",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-time-negative-before", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a801d903e9a4011a6ab13b80220527a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058400b0b9b11dc30f2ee60ba314fb4af6f97aff61567d3f6f6f29409a963706f76031136ddcd6ef03b70e7258014cd166406ed90d28ef587619612dfd7e2b2ff0a08",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-time-negative-after", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a801d903e9a4011a6ab13b8027a20100281a002625a0281a075bcd1529617802480102030405060708030704010502060007182508105840bd5c59b94ec80fd53dc5f0f2bcd40452321df77267830c2f0f231592b309e4de264e016bb14916d459b3fb1ad6ec22b2d283cedaf7acece09716cdbec5d62502",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "skip-in-delegation", .kind = VECTOR_KEY, .key = 0, .reason = "", .message =
   "d2844da201320448df8534b253850532a0583fa601a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac986400501204301010158405e8227fa491415d335bdd3ebf3de1d425d9313032538a32966ea0926a5e2b1b97e1fd4da2bd717557097ed005e925b9cf6286babb1f4b1b98ee473f8c1baa60b",
   .serial = 3U,
   .not_before = 1789000000U,
   .not_after = 1791592000U,
   .epoch = "", .nonce = "", .public_ = "a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0"},
  {.name = "validity-inside", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .seconds = 1790000000U,
   .nanoseconds = 123456789U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .not_before = 1790000000U, .not_after = 1790000001U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "validity-not-yet", .kind = VECTOR_BEACON, .key = 1, .reason = "outside-validity", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .not_before = 1790000001U, .not_after = 1800000000U,
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "validity-past", .kind = VECTOR_BEACON, .key = 1, .reason = "outside-validity", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .not_before = 1780000000U, .not_after = 1790000000U,
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "validity-long-past", .kind = VECTOR_BEACON, .key = 1, .reason = "outside-validity", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .not_before = 1700000000U, .not_after = 1702592000U,
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "validity-last-moment", .kind = VECTOR_BEACON, .key = 1, .reason = "", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582fa801d903e9a3011a6ab13b8027a20100281a002625a0280002480102030405060708030704010502060007182508105840db66679b521d6ae9b5ab85de841c90d6d139bbe2cdfd53152d081461f7655804383b9246d37dfa14bb4aeaef60fe6b76816ef3bb6ef9c30257d63dc0b772c505",
   .seconds = 1790000000U,
   .nanoseconds = 0U,
   .error_seconds = 0U,
   .error_nanoseconds = 2500000U,
   .state = 1,
   .stratum = 2,
   .leap = 0,
   .tai_offset = 37,
   .sequence = 7U,
   .next = 16U,
   .not_before = 1780000000U, .not_after = 1790000000U,
   .epoch = "0102030405060708", .nonce = "", .public_ = ""},
  {.name = "cose-empty", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-cut-short", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d8",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-half", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-one-byte-more", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d80000",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-longer-than-any", .kind = VECTOR_BEACON, .key = 1, .reason = "size", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d8000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-untagged", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-other-tag", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d862844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-tag-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d812844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-mac-in-place-of-signature", .kind = VECTOR_BEACON, .key = 1, .reason = "wrong-kind", .message =
   "d18449a20105044400000001a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105820957ce9eca4265f33d5c3572f36b9eb68b035741136dd4f7d7bf8413c984669a3",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-array-of-three", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2834da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-array-of-five", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2854da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d80000",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-array-indefinite", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d29f4da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800ff",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-unprotected-header", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a105015833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-detached-payload", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0f65840d71a5759ac3bb655db0029425950e405055250c319c13f7caf85f57acdba9e59d4e6d2f1effb875c2138ca160115520e628930f0a888bab4d9592a8391b2b30c",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-payload-length-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0590033a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409615b7956b68e1a3d03735070f0c58352cbb6b132734391e679f761dbf80ae82ee3a52a7640ab538ba44ee58923e8e9d171bd86a8b7888e746526e871df2060a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-signature-short", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810583f010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-signature-long", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058410101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-header-empty", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d28440a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584010baf11be14765c718061c25e7ec3fa7fab41e1b2a232bbb95228bc7798d94e5477b20e82fde8b5490c7b99677230a0ce38101242e211604ff6d9a8158b8450e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-header-without-kid", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d28443a10132a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058406b08fdca69be132db335f9fff4ee00b637f8c08e0d691172f1b13b97cfdb0b075b06ada65a1ace09bafbdb68235003a71e8be4ca76f420137d41c20419e09104",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-header-without-alg", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844ba104486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840f644e08236ae6be742abbbd74c73002b3d2f58387fe5756c2ac5378ec2525fcfcdd6d5bf219ba92bf6d99db2c4a9c218096827d145fd04e9b06dd50ff9daca06",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-header-with-more", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844fa3013204486ee47c5a2e0e8a090500a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840a2566d7572b26f92a51a8f4a6fa7e8f00b0a5d3cc743ff38ad07a31e222dbfbfed3d2cbc0664ede4e0de13b390d0eed1bc47f3e81b579a52e8712d31ae1f1a0f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-header-out-of-order", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da204486ee47c5a2e0e8a090132a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840d1d054bb3bf6167ee48f4bfa9d31a5c616f91108f1432c02ff2b0bdc60884b3e1f16abc926be55d28eb6a079fdbf2cc8cee32cc9a7b0775e9b06c4ad4e776a01",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-header-alg-as-text", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d28454a201674564323535313904486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840baee0ac329506520816a772440ccedf094b9db09ca3ec9828d4444cc76a314ad14087697923f928073eaf6d8c0e0fcbb3799ecbb7ca0b9eb9cafd6ee665e8200",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-header-followed", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844ea2013204486ee47c5a2e0e8a0900a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840866f65cd6c2fe245022598f2ee5dfc493418113eb5f2e47a109d59002ece8edffe65e3a71e34f0ed0dd24468cf3032c96b43d4f9929044f0ca927008ba9bfa0e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-alg-none", .kind = VECTOR_BEACON, .key = 1, .reason = "wrong-alg", .message =
   "d2844da2010004486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058407ea527c1ea76cdc3ac622f87bd9b0a179f494d27afaeb50ce6405857f3c43e1de8b869c8679de9d346273a05fab07294bb8699b496800b7415f061c3fbc9740e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-alg-eddsa", .kind = VECTOR_BEACON, .key = 1, .reason = "wrong-alg", .message =
   "d2844da2012704486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058403fb09d53075a2eff7258579915f06ac2b6840d57da4eed40ad92e869a9ef8efc2fc423e66b5f649b68393badcae586c3e5fcff42d31cb1eacf86fe3a8cf09f09",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-alg-es256", .kind = VECTOR_BEACON, .key = 1, .reason = "wrong-alg", .message =
   "d2844da2012804486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584093443b229360eddbf1b181915532a65fb83d7a90a7a52e3dff0b3cd07dd3e454c4a109d20f9baab2d4e0f3a93079f8d0dbe45afd210a5e7fdfeb2ba76ee09c09",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-alg-hmac", .kind = VECTOR_BEACON, .key = 1, .reason = "wrong-alg", .message =
   "d2844da2010504486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840e8838e90e96946c359518776b7f8b62fba0f5b5fada0b47d81b801b0d71c9fc8d384da8aac70d835cfdfe26fbc2873e11c09a2a3626bfb53e652865cd22b2a0d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-alg-old-es256", .kind = VECTOR_BEACON, .key = 1, .reason = "wrong-alg", .message =
   "d2844da2012604486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058405d8376c71a029578b8f56e6b562b46b77d9b9d62f16b302673d12bee40393f58cbfc06f96fa8128044f6a6e79b183982a2475e766db6c00ef54f0bb46790c509",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-kid-of-another-key", .kind = VECTOR_BEACON, .key = 1, .reason = "unknown-kid", .message =
   "d2844da20132044859722ce26fccf060a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058400c5bd011602ac2ac44777ed9a78ccc48a81a5f05de3b19b9aa6a68a4fe3902ad8a6888a3173ead5c718345e9b955cf5f001279b211f0c84f4959dd26b01ce70a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-kid-short", .kind = VECTOR_BEACON, .key = 1, .reason = "unknown-kid", .message =
   "d2844ca2013204476ee47c5a2e0e8aa05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840fc2605ad2d85f15b2db789996c9daaf2e2e7a80f803b121a154e61fbd431ad2c9e3b7a842bb984655c5c7b89cfe95ad3347e92b2ccb9ce9914572b4609c3800a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-kid-collides", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409e2e856ffa9b0782f628de99dd75e78787676ebc9bfeec62c87c6fcc881e276ed131f25aabef3297ca897b5e12b339ddb91bf69f54957fab427801fb60730f0c",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-bit-in-payload", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a800d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-bit-in-signature", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84ea6a197a5f96e95964bbb7e235df11bdcdbb622e98a8ec3894688ca9c022d801",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-signature-of-zeros", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-scalar-not-reduced", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058409f08ee98cee55982b96b3ff705057d582a73c5a666468e2057da87031006ad84d73e0fd779f9fbb13a58af8514d9f0d1cdbb622e98a8ec3894688ca9c022d810",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-other-gateway", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840af57d952c134788e5cafdd1f6bbd89ec949e39c705f7e35ec66a1069f49e50333ec42e4b579310d371ea53a42cf285cd2ebac8bb7f45cdcc442d562eb96a540d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-gateway-cut", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840550607a8bdaf5d740ff057f9b3004a9f01c2d3eb50d4c8932324b9654889e0171f700d377f68b34038827d2aa0c5952230ef7068dac7b350f72b02e333e73405",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-other-version", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840fdbcd9aeae68dbb1709c19711f27c58bac0b4fd615d4e531cd3f85c7a9abab053f81500c8d851df0123ae0b1c42abd03f40ce3cc6e1202fe7b34486feb45f800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-no-external-data", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584022c8542033ed8b3ebf0e1e3cc559b08de68fdc270289c48a904050ac346baff6507915b414cd423938b2eee8fe978e139bde44b13390bafbac5d1aca4ac1bb0d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-signed-as-delegation", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584019ea485acb0037b77f0efc03acef741c57930b57b981f97101f070add82dcc959550bfb482ab181083d871b2fe0a91db23539916104a7428f4f1f3126ea6da0e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "cose-signed-as-response", .kind = VECTOR_BEACON, .key = 1, .reason = "bad-signature", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058408667a1105c0fa1ce07cff5da2f12568633dabebc28835cbd211c10e4f718ba970952ab347d52ee0ce0345cf0dff4523e2fad5c68d7baa7d3ca19ccba0a75270c",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "es256-bit-in-r", .kind = VECTOR_BEACON, .key = 4, .reason = "bad-signature", .message =
   "d2844da2012804483ff6827ea74822b7a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840d82088b7ad13db401cf97e95c069c3feb23928135e2a97ba1003d77047fc0b8acd23a62c7ef4a2cdabb0ad79e2bc8ac8c3a2b835f363431ec9fe50c8299fd058",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "es256-bit-in-s", .kind = VECTOR_BEACON, .key = 4, .reason = "bad-signature", .message =
   "d2844da2012804483ff6827ea74822b7a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840d92088b7ad13db401cf97e95c069c3feb23928135e2a97ba1003d77047fc0b8acd23a62c7ef4a2cdabb0ad79e2bc8ac8c3a2b835f363431ec9fe50c8299fd059",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "es256-zeros", .kind = VECTOR_BEACON, .key = 4, .reason = "bad-signature", .message =
   "d2844da2012804483ff6827ea74822b7a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "es256-ones", .kind = VECTOR_BEACON, .key = 4, .reason = "bad-signature", .message =
   "d2844da2012804483ff6827ea74822b7a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "es256-alg-ed25519", .kind = VECTOR_BEACON, .key = 4, .reason = "wrong-alg", .message =
   "d2844da2013204483ff6827ea74822b7a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840a9c7bc9748ff5226e345e4741c2fa2dd5f35ff9baaa39b46d90979f548d5f867c94a15dd8b7e712b8fa7679e7dfc83964a48e3906d69e121d7545009e16400c5",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "es256-other-gateway", .kind = VECTOR_BEACON, .key = 4, .reason = "bad-signature", .message =
   "d2844da2012804483ff6827ea74822b7a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584072e3d414428ec6875eec86efc4b1a9ea9ad01d54509a535b0ef8b8462ddb39762a6e1d5c0c013090607e4715ced819ba134825261bd53d32e8fe288292ca5539",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-without-1", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05818a70248010203040506070803070401050206000718250810584074fef526276f23a56729290eff341e0906b9843e3f0c33196b7d2eb16b55060ca4eb12d825ba218c41b80c052a5f81b4cd20030685e39432c0cfc79f525f7d01",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-without-2", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05829a701d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15030704010502060007182508105840251da2092d462df8327c306469276831af51ca2cb7dcbab6654996baa6798335158df42ade397002908a6b1b6702bb538b6e1a3945c4374e9ecd53d5dd96a902",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-without-3", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05831a701d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250810584019f2576fb1bca4cc4744cb76f03e4c88d1ab8f60f1340e25a6f9d77fa3aca3c56d6163742394cdbe7ff8ad966ef14dd273f1234b06a27639e6a38e14d7768504",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-without-4", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05831a701d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030705020600071825081058403d472d224ad4cfcd6663aa351c57995ce781c8ab6bb2f73ce520221485ccf56c62fe6c3f61a0ade80e7f17fe3c589f71c2e0c78878ef4e503e2f3a5c5e20ac04",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-without-5", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05831a701d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010600071825081058402e221e1702795f24cd61caab47fc757aae2e4aace6ec73b71a1013374f1e9ddab50c38f6adec6e41664a68c7ee80d926e35e2d6673c5a98d5c67188a1fa7f506",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-without-6", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05831a701d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020718250810584078723dbcbb558d0959136b0d62763702c673b024187b25ca9f3965fd10178527b5f16f9b73a70cb39e391964233d5815af85af7873eb6856611f5fc6dd06df01",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-without-7", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05830a701d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060008105840f2e2650b61e3305135c430bce90d1ce325d93c928800fba98d3d9d5709c22bbb2a9f3633ceafdb95a3386285eefbe7553f349876a25628ec25c259fee666630a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-without-8", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05831a701d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718255840eeaef126b82fcd80a58c0e9470e763603f1edda0c0620025a6c063d68b0342ce5927c76e7c277dadc2702dc64087a75db74566bcff2d8c01ff370e2390a7de00",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-empty", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0405840220af8bca154285acee1464193a5a2a082d3d76f10c445a2b723e050e2a7d4e01764c953588cfae69e3a8b2cbda1365f4a516da1345496bf03bf8737b13a6b01",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-empty-map", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a041a05840124f90147e6ce1c09a55956fcd82d4f130ba985c7a15af6ff0462b748b725dc7eea4da4a60416a1db6395bd34aa3377e7935ee674088dd9f01fef1ebff4f4e08",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-array", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a04281015840a91268f3ad8d4c3cbc944e32bc0bda88ac3089084ec5bb3605940ba1935e2dbbfc0ee0707127c97aced59f17e7f0dacdbd0783aeb12246e65f4ed8f0eae6e300",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-cut-short", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05828a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803075840c6293c9cedbaa5f104a87df65f7331b0779806f842b5af654d359b0b4034ee0f9d6d94fc23f07130d3cd005b09e551c0d9b077520da882ff2f3971b416795f0c",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-followed", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05834a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081000584084501d98818f636e5de64eb12b9690eb25d3d8f0e79256ec594f85a36eec3adb541683808834e64ac4a6f7874049488d37dbb92f629df9e94ab9b12c71952506",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-map-longer-than-said", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a701d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840547f1366f61630017433e791374e8f0d69fe7c9bb9a577ca27ab38ecf8f77bd5918eef792176ea796c2b311a327b2046603e7bf4a347ff65595138c9f0680906",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-map-shorter-than-said", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058407e30c4b1aa263068b57152280b05131987431d12958016b295f1e97ec0647708c9d1c39dfbf6ff1386bca1619bb2c5b6b225f70b499b0f396219db366dab190e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-map-indefinite", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05834bf01d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810ff5840ffb17f2a04245e624955ba004d7218d2acea8951367b0de39ba414d6a41a94fcbb0c00b0781cff8a01a4c68b18da1cfa97e24beb2f8e5802c0239e7647019e06",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-map-length-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05834b80801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058401acd45ba1f4286f20a9d21d7907e3cf6e7131043a55c324c2855d2d77b5bee735434fe3f20199f67c411da33e57590c2002702a782bb75d91a47847c4bda470c",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-map-length-huge", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583bbbffffffffffffffff01d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840d1c92a834c172c53b61abe2a229602276e005af35a270de0d70043c6c4fb4bbcc184e7648dd5f2324ad659fdc7e175c5faf7cf6313488f5085008a255c410603",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-key-repeated", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307030704010502060007182508105840a070f5367ca35a30943259bc1b4ceb2ff2ea3e15d317f7a2d19b6ae4062aaa70af80b613d8943d9a69bffdc747c4e9ee813dca96c1e8c3685f7bc06a7235b404",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-unlisted-key-repeated", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05837aa01d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e010e0158400a0f985140cc5683ec67b9fdf5ccd56b9134e411f5b1fb2234c3898ef8f74eef1b0c93e6888859386bacd5be14d5434d98ed475290a79efd3e4a94f6aa79630a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-keys-out-of-order", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708040105020600071825081003075840591d5bbf470316baff4ab1e3461861b6171a8d1b28c1330cca5186d4c220b3de343a9a3b9a0d6c360e93ea56cd6f1a8f6e16095164943b855cff7efc1a353208",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-unlisted-out-of-order", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a90e0101d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840d184cd048d37d5d0a5dcf56b7f13a48f28989d7e1e6b5027bf3f719795b589bcef0836b36225232992348344f2a49aec4ec7889bc3c51011787cdcbf0d606e06",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-negative-before-unsigned", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a9200101d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058407278cc990765d692b305dffbbe545db1f8feed1b8184ba4843dd59908816c3377fece348ccfb54cf2851122d848efd45d695ba4d22a052b9297a28644c61e601",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-key-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05834a81801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840bc85784a60425f99fe371fae2093a79c29f5986f94218cb4edc5a79233fe8c2cf36b3f84c4bc1b5f86a57dc541acb38f6ed6a21152c12834ebc25d527b5b0a0d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-key-text", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508106161015840ec3a866dd2abc588f3f533f613dce4eeec745da6464c5333fb88def10c75d1a76d5c0ab47d0ad7158251d82aa6b3e0f56589983b9a5a53ad56daf4de37da4303",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-key-bytes", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081041010158409a7212969035b9a58027d5dead0bfabf06bb7cb55452f35ec6f331baa09f084b3982f499f442ba5dc4e4674336da548956dd85150794c1709a08c862c32c4b0e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-nonce-in-beacon", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05845a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100950010101010101010101010101010101015840d55db380b113436505cc755980ea061b537d43ff9d7398490bdca135874b8126cd8b138d66aebf8a87a00cf52702fd45bbd2fe97a7ee76673dc2139cf7e42509",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-elapsed-in-beacon", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100a0158407831c9dbb53bf5cfff571939b7ded14ccf49d5f58f923d107e69d0d4e64cad7fa4978744cf03131713d15e693fcaafe0a5344d10359c52d36fc78abd07804c00",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-serial-in-beacon", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100b015840ca27a4283badc1cad1ca53d8e7997ce4cd70396993b11d4823614144b1328731d51f20c8e441027155d4f0b9b8a41c3e97248babb780f4c47a46836e101b9402",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-telemetry-in-beacon", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100d015840362802f18a5b75519cd9f7e9b275bf70e3f941a926230687d6343ce356214202b41c747295bf43f309c48f2b2e15ff00d8331f4b9d6e83911c615d5b4422240f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-epoch-7-bytes", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05832a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024701010101010101030704010502060007182508105840740eb2cc5106878b1b0c4eb247845972dbb34e53746b5440ebc47a5334afa9c7731e5c7c7ffd4011cc1ecafbf5c6a101d316ea9e942c2480b4797d61d2da6606",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-epoch-9-bytes", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05834a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150249010101010101010101030704010502060007182508105840283d8ac2c0553f902226f3f59d1ec7bf909f187ed20d96a8a7bddb22301b1fad0b749572b0ea0e290c717f696eae8a90491e4b0f74715c7b335e70457216a800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-epoch-text", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150268313233343536373803070401050206000718250810584058a3d474c17ac88c0a1a4ec07831702d448af0b281a240096d65beb623e538ca74634388c12d4a6131614a20cbec527420c1244cf37b54424cd0cd592e603407",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-epoch-indefinite", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15025f480101010101010101ff030704010502060007182508105840aeb67964ff1b0a45a1471978b492bb6182d6ea68810f79666cc5fc8bb2ebf72ffaeec3d8096f27702e0ea765963fbf403604e8d3cce9f2b24b6b031c3078ea05",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-sequence-2^32", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583ba801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708031b000000010000000004010502060007182508105840a87f338e448a6335fa8eb88057c574ea846c31592594250460c4c9ee4813dfcdcb2cc3bf605088189d685efcbcf356f7b707ae788c18a86ccb4fa3545adfec00",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-sequence-negative", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803200401050206000718250810584081564f8978d9c56a4934d8c6ae28f90a9f439a1fc5b332361f3469f4ca13a744d63d00eda5708581b013804f5d0da8559925d3489a3279eaf571ec30059d7905",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-sequence-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05834a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080318070401050206000718250810584005360d8b25d61e6956c107ee4655109a5e4373610632d79f41d91c8eeaf0a3df64bc2a86110e8e75ad953e6d47bdebfbd5f932d867890b911d7d6bbd1218a802",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-sequence-float", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803f94700040105020600071825081058402eb8d58515126ce54603e5a7a331db63d450c048b2bcf50d56ce2245831cf3806e3e093ce41d993258164a99d3b529d7128a9349ecfe242f30ba438c4ab16e06",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-sequence-tagged", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803c241070401050206000718250810584042c95710d5038406fbe172dc6bce7af9b52a261334e106d2623667c3e0abda3a502d09c53ed7a03eac6c320b0845f1d9aac85ca56e7adb7ec8f31350eb531109",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-state-0", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040005020600071825081058404e709a64f22185e04df7c9511f8554108d2e3c6a2e585381520b6bea0c1ca1bbf51acef631183222c57695de232975fd0159b794c322c0417560aefb80a7d30d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-state-3", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704030502060007182508105840d09cce6ade6e30daf71fb6c5887579fed28baa1b14bc1ee27d52c5ed79faef90b2881f906377f2797ef400f2f27fc98909dc5d9c607b4863fbf553b04d196304",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-state-true", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704f50502060007182508105840a2dfb94fb45895366780346b18dc7f1aa1082174ff523ec4e7143be65d1fab29b1b4334c4611d8285028193f5e03c209bbf5f10d128694f033a9aa3efe1c4201",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-stratum-0", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105000600071825081058402dcc0c27ab2739aa65458f6777adc5c9bcb1b2f0d22f8c3d65232ddcdb5f587e2653331f473fc55b11ec7947592bd2e449716addf77b7739ada4f3300c415b02",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-stratum-16", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105100600071825081058404cf8a1c4d22895e9a28ffa08f8ad37e73ca9feb2158a89c24c0e707fa7bc5e57854b8db699f461a305d2394b48e5e9de9372e55ad9976f85c98ae78a55c44603",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-leap-3", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060307182508105840679bcae1ad5700c193b2995d6ccc8b0958fd2af508c32767e56622ffe57a2da3610c1cf0112dbb91b75ae0c4e1b2ff96b00f99f1e8f8af733cdc3a98e9b2210f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-leap-minus-2", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502062107182508105840e2470b1d985c02a98fdfb12ea1c85656638768e3961e32252421c5189b9db6798be027487b94749ca4317c1bdec8cd43a952610fee529a176cf86d9025b3cf0f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-leap-null", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206f607182508105840cd6caf5c09ea48cd6ad2307c5827de23cd2f5bd9c9c75dfa4ca4d82b753cc6135fbe4a1fefe66ff878bb161733ab30eeabad6e30e72038a5f52acb1d53052c02",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-tai-256", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05834a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007190100081058409eb197d151e3373495d084fa806c5cb7e3d43a981a305d95eedf2f5250c6b5d1f3bf7db4d2e0fdc252f860c189edf0a48d4c0ee62737bbe12bcda60bb5472809",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-tai-negative", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05832a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803070401050206000720081058408c91653cf034799887d4641e4ffbb48fe46c33cf4311b695c678d61c6f26b36d715fff21d2d308fbacad41ff3f78a0ee9e21ecb6a5d4a9602dff047c848deb0f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-next-65536", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05837a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081a00010000584070dc6a3a0024096cf3a6b90d66a379dc5c04316966eb916b262dd8420d8c194c08554cff19357aa11c9d042e6a0d62a9eaad775b8919201336f3015d3f211a04",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-next-2^64-1", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583ba801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081bffffffffffffffff584043b7496a6caf6e4e516deeede66d9c9c90a6da7b307f2145eb55af6e9ecd5fbf94a6a346d63d6454879534f4923e828018bf2831a4477d60a5f3c01a88684e08",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-untagged", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05830a801a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840f484c1259b26c48a92b984f961793e80bccb090ed330a9ac5b29689349f343b3987f07004fdb227498efe547b2fdad353d6ed4fb2c018c22c61eb40719049903",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-tag-1", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0581fa801c11a6ab13b80024801020304050607080307040105020600071825081058406a10826dbdaab828cd419d3c0a5ba7482280165eec8308d7efcf58077da4767f157217abbbfad1930a28670c45177c579e32ea809106c913a14145603d002004",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-tag-1002", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903eaa3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840de8d6fdaad4d17d56004f0e77b789d25a52d6f93719956f1901ed26f883537056eeeff3adc93b8d074216715874be0d85a0d3330c805c7b52d04246cdf3c8e09",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-tag-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a801da000003e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840969501d29640e07b66b9d21761551bdcb5e9ec8599416af2d6de429d303447cd4f5e8303e1d5093bee19b3f243cb17fd259b85a1dfa18bf6cf6050d3bac03703",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-without-seconds", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582da801d903e9a227a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584083b27dc2e984682194e8e9612f8f91274d3e25177252037a0582678743b09cb24609fe30cf9a6790e74dfdf4aca8d443cfa976bb8a80896e9d2a1818254c470c",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-without-guarantee", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05829a801d903e9a2011a6ab13b80281a075bcd15024801020304050607080307040105020600071825081058400a786313154a8f6fb9afec8e8dd45dfde7ea9975e1a26107875c03174a037975c6f44dd48e471e3fc2f7d3da5ba6f8c7968e40912cc33f0f1e669f835bdb6a06",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-without-nanoseconds", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582da801d903e9a2011a6ab13b8027a20100281a002625a002480102030405060708030704010502060007182508105840b3d4a525fac53b1d99b0981be36085d084fc485161da149a866bf88b6a5d2a548cd0ce454f14b6b74a8f3d2fe0352128da17ebd9626382ddf572afd8a35b850f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-out-of-order", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b80281a075bcd1527a20100281a002625a0024801020304050607080307040105020600071825081058404355ac801377c74bba8343e1edb9972ccd4d297b06c9cfa265bba4ba7beea595ecdab304faf4dc16c38c88d749fcd07cf3ca20ca6bb438a72b0900f04687ea0b",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-seconds-2^32", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05837a801d903e9a3011b000000010000000027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840b8d349642cd00e083538e8f1262f8048ad598805cfdb571b9415fbf7de51bf85d5e1cbc2d26f894b24b4e106bb0d9bfcbbf5bb52223c7188094104438beac400",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-seconds-negative", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582fa801d903e9a3012027a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058402b5f81be6d171b450911760756d12273f64915d80b7d8d62d9a46136ad0267314701847faac2a8fad1224f31951f2174262da4b420b268f74bd542d03de57f01",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-seconds-float", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05837a801d903e9a301fb41daac4ce000000027a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584023fa0f691e942e0361a4742eb1839fe4c2abb34497e3cadfb4baa7f764c97d3420e4671f4c02dfe807caca920097aebcb2e409e5116f8ddc3d3c9e7d278c9a0e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-nanoseconds-10^9", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a002625a0281a3b9aca00024801020304050607080307040105020600071825081058405b0a5d5f4a31eec82b0b1698b1aa1a206d724b5e4ed8acff52432903dcc54788e5e404b92bcde03b6853b6894098c4a31eafb8d71b212403c59a850cc3138808",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-nanoseconds-negative", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582fa801d903e9a3011a6ab13b8027a20100281a002625a0282002480102030405060708030704010502060007182508105840c47ab8323ef34121121a28cb3bb2bfde4e7e9e3646adbacea099b8c7135885ce5b3fe555a917a57cbd2465ef6429bb09a44e04b55da8f1786cbc35fd524feb07",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-critical-key", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a801d903e9a4011a6ab13b800e0127a20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584020e7d251c7e7d3263b59b9512f7351903c0702fa5cbdb91c744f2670b82d1d68448124a1c8aa3b60501ca35bb915e8268a0f1d29c6d8ae7589ef2df464b0800a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-critical-timescale", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a801d903e9a4011a6ab13b800d0127a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508105840b39462b0c4d79ae3143ad954246f477549265e8f91fbd62b0502b44471c13bae2523e3892f8b9698cfd58ee96bbab2ca6d3dd2b3ae31ea757219aa3a62843606",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-decimal-fraction-key", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a801d903e9a4011a6ab13b80040127a20100281a002625a0281a075bcd15024801020304050607080307040105020600071825081058403f273fade69fac21c14248057f4e452cfac27e272b7fd1c1354da08661cca59172db22570422f685405529f7feabb1d53bbe2f2d7949a640ad260d90ef1d3b0a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-key-text", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a801d903e9a4011a6ab13b8027a20100281a002625a0281a075bcd156161010248010203040506070803070401050206000718250810584056e6af24a5fe1d8d78e84e117955ec8d82b055866e534cc6cae483e6c0a4ccf4d2a4983778de290fc32b9264418ecc323ef301a25655e4043d10ac2430b6170f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-key-repeated", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a801d903e9a4011a6ab13b8027a20100281a002625a0281a075bcd15281a075bcd1502480102030405060708030704010502060007182508105840caa38efcfcdaf24b17ad2fdb1ccb431ef558f0a42e65217c811bc4f989668cb0f73e2ff5e6b08b5003b4d1e028a720a91f6d121d3adf4403181be781a6af4b02",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-skipped-too-deep", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583aa801d903e9a4011a6ab13b8027a20100281a002625a0281a075bcd15298181818181000248010203040506070803070401050206000718250810584020922535b4bcd3160dd4e57fab04148b0ad14e11c83bfdeebaf27435e1bdc2547fdac2de34cbeadb0793121b0937a906e9233c097f51cac45c0d7bb872e2400b",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-number", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582ba801d903e9a3011a6ab13b802701281a075bcd15024801020304050607080307040105020600071825081058401d1a0a6862251241b429315f2d09ecee27e401e9a0c34d98637b4643e2ac4466b9277cc52b1dee2218e42b5b9236bd8a2bf93b5969ccfe62dbf0d3b2487d6804",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-tagged", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a801d903e9a3011a6ab13b8027d903eaa20100281a002625a0281a075bcd150248010203040506070803070401050206000718250810584042acc48bb9d099f945bb594af0eb14869688a1f3bb44a77cd3795fff582f05b2cd82445ded055817960ceb6e548fe81137f026c8c5b009683350e5c36d432a00",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-without-seconds", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582da801d903e9a3011a6ab13b8027a12801281a075bcd1502480102030405060708030704010502060007182508105840c9d056697eea9bebf3679fe7d57d232fc52a20a91ac6494bed7584601692789a1db7be7714d25d9f9291b605f013404b3cda9df0079fff85fd2312989544ba05",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-without-nanoseconds", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582da801d903e9a3011a6ab13b8027a10101281a075bcd15024801020304050607080307040105020600071825081058401665fc1f9aa3c1e5475a5547b771c64f8ce08e977b4b97a33f63c48446e561f84e675f8fb4bed9ef242f785abee9fa67fb39c8cc5c4cecf530e7183db6f0fd03",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-65536-s", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a2011a000100002800281a075bcd15024801020304050607080307040105020600071825081058408f9fdc38e60438c15c91d16a742d0e4d68e0aa0af3ca45ddf4d658b69092cbe0ad1e23d0d2c0ffd244d1ae8cac481db4f37e70b6dfa674058c57ce9f10dde50a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-negative", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582fa801d903e9a3011a6ab13b8027a201202800281a075bcd1502480102030405060708030704010502060007182508105840ed248b3ec2d798e679fc25f0ddc8b7d4bfe4f09b4118aa5dc8372a739f3549eab5d7c48417f58d8834f3662049c9512c3b74a81035f6dcb57d44821318518e09",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-10^9-ns", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05833a801d903e9a3011a6ab13b8027a20100281a3b9aca00281a075bcd15024801020304050607080307040105020600071825081058407f392fc16cdb7eb817288bfde762997ec1b51996c2016d333f615b55c2bd905c6ba1485eb3ec6eff0d637738fc78495f4deb9065a2f97c6018f841875bb92705",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-unknown-negative", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05831a801d903e9a3011a6ab13b8027a3010028012901281a075bcd1502480102030405060708030704010502060007182508105840b410b8d2e2d39a3dad0dd601ea33fcb4c36f96eafd6753ecf36c9a282f244b97ab0a0d363d13a0660418e111075fd10fa9cca0b44b5a7703663eed5b12b5580d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-unknown-between", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05831a801d903e9a3011a6ab13b8027a3010027012801281a075bcd1502480102030405060708030704010502060007182508105840928b8acdb93aa974f1aaa6709a0f265a2fb608c8644beb7844e271e981a415619c9075379705f0e7f1e71b852c131dcaf6d66b2509da89fd235c9604f2db4100",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-milliseconds", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582fa801d903e9a3011a6ab13b8027a201002201281a075bcd150248010203040506070803070401050206000718250810584075611325b5f93d88d7e2bd7b0f83b703d021a95011f67ee4695764427e2dd33a2e8dd178da7383eac82851b68a1ccc6151a1d1ccd77b882bd9ed1a115c864d04",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-time-guarantee-out-of-order", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0582fa801d903e9a3011a6ab13b8027a228000101281a075bcd15024801020304050607080307040105020600071825081058400e4ca9a71fe21f6becd760be11c873b4a55d06c4189e172126fe9ef9aab0373e40169ea4c42f0394c43ecac1fbb13f7aec3b3eed7d03c4cad79d6a4e6e4bf80a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-too-deep", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583aa901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e81818181810058409b745570e32f7a55e9dc9ce22acca0cdafcf992040d0dd7b5c92cbc7f414c21c5e11beb7559136e3a8a42be687288cf04ce47764bbb0d20adcf55a73ffd78f01",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-too-deep-empty", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e81818181805840e1bbe8c499b05bcb1be9300b12b3671eb7fe4a34713a957dcef05d790b4fe6ce541d6591ca33fbf000acd8726081f941565f6f2e471f218ee0b3531694ef310f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-depth-50", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0585da901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e81818181818181818181818181818181818181818181818181818181818181818181818181818181005840067428fec334abf99a81227ecb53dd82ef1533d942b97c1ab285d9c9d54ee0ae44addb9f9074239b7f64d1bc355e0bb869f7fcbd9d93d3330031f5378ddb120f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-tags-too-deep", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583aa901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ec1c1c1c1c1005840633af8f55ddb787846bc161ef9cff07a2a1fcd7f9b958a40cb1d144b74831897dc3a17911523b8f2bec0ad4eb5bd420e3e0027c7e6c091871a03c1711926af0c",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-number-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e180158405f0499610d4e5f012b9976f7b1f1b904d5cff924db5cee44d10a5ab7e985d9520bd6d9491c2fa4d9db592ba7e497ce8fdff22db138e14221947e0ff95e234309",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-indefinite-array", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05837a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e9f01ff584064af5a2201da245ad528fe7ec887bbbcc51fe77c55d9e12caffdb0ced7bc4e7a0d3b0ccd4ec275e3e6859655e837d3e348b87c972686bd9fe47262a5953b2200",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-indefinite-text", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05838a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e7f6161ff5840bab602a73e6d76849513db0146938ea012b2d500951ac03be5391d0cc3f13726615b610307101099dff8e0a9f00703432d6f74abb1a3fd1e8d8e307c9e0da707",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-break", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100eff5840df18c58de1f15ff5196252fc5dafcf2e62d65d9cde598b1cf580f12b8ef88eaef97d7b8a37efed883efd7da712e2b09d6d940bdca1ad0e1eb2f07d32078a7007",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-reserved-length", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05835a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e1c5840c0d26be7fac691303ccdd9036907bbe18904ce85218ea2115c90327f219ddaa07acec69c5a328612fb9e603680fcce1122d12e748bb2243e469c0c4f20ca2b06",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-array-longer-than-message", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e9affffffff5840267a28a8f72a0d32befec5c473006332bed2707937d16783f0cfe8511857fbc31d20a1fabcaf7ff4bfd1cb0c40d492327cd02305cd2532862536fa06697beb0d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-map-longer-than-message", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583da901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ebb80000000000000015840cb552d7a2176ab1a4332ae34d91d2240fb6f80ff6dd5fc0800b74613c0d57635b26f2a768550e8e7195978107c8f0763496b3842d72217e50bf643c0e2fc4404",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-bytes-longer-than-message", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583da901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e5bffffffffffffffff584058480dd01957fec899197c58704ab61c8c23d5e4d59bd28ec1a4aaefb63262748a32ec46b1da7a01ee466bee835df278484bf1d901324357c0f1e064e7611003",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-map-out-of-order", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ea2020001005840537d5d81b126743def298dff5bc37e28fdc16dab9f40873cde9b119726572c2ae32f2c128414d5cd0ad2d593337ca9d5019d6a2f418c976089644a57d81f4808",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-map-key-repeated", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ea2010001005840d83e45bf5ca7b1c7699759d47df8fdd9616b31d3c1ce94a94fca7d5545b0cd14988740872cf4e9be8943dedf5e909b0bb2a2c9d64b364a90988d08f03b611c09",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-simple-in-two-bytes", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05836a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100ef814584047a14490fd20438dff294611f2c72e1c6aba4b2cde44265038dd06906be162e4b61ec94344d4629a7a11c79e1b884e12804942b0807d27de76fb5770a7b0000c",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-single-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05839a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100efa3f800000584018ac1aed2deea98dc5997df27c0aa669096f921e11a1e2cd0b73f90c529b53f0b28ca858bff90c8949cbdaf8889b3d9fb79aa82635470ee826389e77052e1d0f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-double-not-shortest", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a0583da901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100efb3ff0000000000000584024efe40e7e51e503803f83debc64eda6d39c63860ace5793d5023f07ff77536e9736d2f2fd9e15f5906fa5feb06fcc19240017d0d4d9f302e16c2ca73c9ffc09",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-skipped-nothing", .kind = VECTOR_BEACON, .key = 1, .reason = "malformed", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05834a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708030704010502060007182508100e58405dfbe357e6122cafc587105b68e7e4114b6e4cd9ab84b017c0b561b7ac0a9c0a3535a6daacadc8aece92bce9f4b40a587d01d9524642c89fed8d5de8b8453107",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-a", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a0582ea8024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b0358203d7f4a7cbf2d312a28f8e8f3ba17bd3ebe49bf4a965bd3bb53ef6126819ee858",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-b", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a0583fa801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150401050206000718250950030303030303030303030303030303030a1a000c65390b03582066dff370c1af070b4a39be40df8e25935075b91be05bcb1c22feabb105df9fbf",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-d", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05847a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708050206000718250950030303030303030303030303030303030a1a000c65390b035820edb2c33b34c592e06150eb56823a6395f81d23ebd5aef4b7e71852f8858919b8",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-e", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05847a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708040106000718250950030303030303030303030303030303030a1a000c65390b035820173112942145975dd37e4f4c0bc6c13f6fc5ba1ba80b4a689f08f9bf704f6031",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-f", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05847a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708040105020718250950030303030303030303030303030303030a1a000c65390b03582073de33bac1771fd0de7e9b8e8548e78bb52caa3f426ec4fda5df9ddc115c6202",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-g", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05846a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000950030303030303030303030303030303030a1a000c65390b035820fa4a08ac17e15c2d145af27b9c25b96a136e0ef5fb8c37aeba8d20a069cd07f6",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-i", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05837a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250a1a000c65390b0358202488c349321f54a9d2b4ddf44109684799c401e654954c0126d9306e14d974d7",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-j", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05843a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030b035820c27518c4cb2159e22ef661e07e11e56af5affba96ffe5ee2e21e4d9a3c507288",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-without-k", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05847a801d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c653958206c3394a8cd4a420f4014bd4fb9e3d55806bd1872733d9a3c1d0467aa9af76fc8",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-nonce-15", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05848a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd1502480102030405060708040105020600071825094f0303030303030303030303030303030a1a000c65390b0358202f887725093c37824026069b430e19ddc2708c6b38e0dba48635eaa155e56852",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-elapsed-2^32", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a0584da901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1b00000001000000000b035820fc4df07224053d9a5bde09b47f68f6ae821dbf963af309c85f08956b9bc23ade",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-elapsed-negative", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05845a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a200b0358206c1904cd38cf841885302d01d339c06317e05707d040da7b211cc77a167bcca1",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-serial-2^32", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05851a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b1b000000010000000058207f48febe98526661f7e1cae1551d25876d5ea0c162ebaaf40e258985079d31d2",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-with-sequence", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a0584baa01d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070803010401050206000718250950030303030303030303030303030303030a1a000c65390b03582078b58630fa3a6a546aa6a0b340d0696d03529b018c08d852dce38a6232ce9cf7",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-with-next", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a0584baa01d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150248010203040506070804010502060007182508010950030303030303030303030303030303030a1a000c65390b0358207d27fcead48ed2f4d9585cee9e142ea83b5f24d0df4fe23db86516674964b39a",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-response-with-telemetry", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a0584baa01d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b030d01582010bc51da0ab9d1e163e2ba43403b6d3deeb752c80ad9448514f4541b2fd4f2f6",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-request-empty", .kind = VECTOR_REQUEST, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a041a05820dfcd7e2e73b0b85b01d48ab3cc393ca88fe95115a54c1ca93f9d7dd56cb32e93",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-request-nonce-17", .kind = VECTOR_REQUEST, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a054a109510303030303030303030303030303030303582055ba91e87a09021dde7a5f033fa14969ab00ea937620b318f5d652347fd56ce8",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-request-with-time", .kind = VECTOR_REQUEST, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a0582ea201d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd150950030303030303030303030303030303035820a9722441df0f833f5daec3874cc0930da3df2a47dc95596d3771144c8b454b7f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "payload-request-telemetry-2^32", .kind = VECTOR_REQUEST, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a0581da20950030303030303030303030303030303030d1b00000001000000005820b9fc931a18a473a061dfaa08a15ffefd3e2e9f39c4014d6b61ee160dba0b2baa",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-without-1", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a04fa30203031a6aa1f940041a6ac98640584017b077a8122e0394f1665753dcba8219a24acf1cd066d9e43e86fdc8c9c8ba58b37d4d4fbae1b7cb758d8c2ec9f155c7e2cec8fbf258ca44c4b5cee8f9e59e07",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-without-2", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05836a301a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0031a6aa1f940041a6ac986405840091e30827033e0a6fa17f0b3f6f0acd3fc4b51b52ebc80e7232b7ab3fd95b93bf143a3ff95687f6e893634ef0c69342343b33b66daa0b2a6a00d687000b79709",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-without-3", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05832a301a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203041a6ac98640584002760a83c4e4908cb74a465defc2bff87ede0df57c2894b929e83e85cd5b4c5965b9215c7eae0f6e0a6834c94f41b9ec026012797575362e1f496f747bdaee09",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-without-4", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05832a301a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940584028ab894448b9737e03c023a5ea1b04ab99458bce93eff7afa12ef298111cc52287a058ab5d206dff856b6fc8c6ab0c7185775b18147d8b60fa51dcfa9eefa800",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-serial-2^32", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05840a401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0021b0000000100000000031a6aa1f940041a6ac986405840c54ff7923ba32acd3c0105b062e695d8f30a99af9c50b3ff70350fd0bd752533550fabc51c3425d3ad6f6c13b64e8521f280a54f5b9ebdf946936361d1bc410e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-not-before-negative", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05834a401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f002030320041a6ac986405840336a7bfa163dfc45a5d7885185d1f55caa03914a371ced48f29442e6c8b7bb8ce026d68dc1d0ed3abfbb4ea9ee4f5af8d43adc09a2c55f4b1c44251fbca36a0b",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-not-after-2^32", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a0583ca401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041b00000001000000005840d76e25c82d8abec85f92294e2dfb71975fa6a3d70af6abe3b6c857ab9360fe1c6cbbd60f7326d319a7e025b76c0c8d3bcf0c0de129c784e30af68e93ad3a4803",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-of-other-alg", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a0585ba401a40102200121582057e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34225820c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ec0203031a6aa1f940041a6ac9864058404a3951268af833eb2fb90f4890ea0ab27f7787d576ddf558804fca89cf7306496200720f42b8a9979588a6fd946c3206b03ebf34c35dea2f257b76223a8c0a09",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-of-other-alg-es256", .kind = VECTOR_KEY, .key = 3, .reason = "malformed", .message =
   "d2844da2012804482408bf98f2d0373ba05838a401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac98640584099b2b75643fdd9abb3319bd855c97b912bbd6e231c07bd6fab1bd79c85d403725a262dc188f76dfab1b710ce0f61fdd1145e1412de09cdaa0472faa5abbe5de1",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-x-31", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05837a401a30101200621581fa09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a40203031a6aa1f940041a6ac98640584007179172bf4176a8f7af440e032c67e23888afd66b1fd740fda53b551b582a903ac35ee2e0bab7a08b69671557a975700e28adebacada7589b5c32466f982d0d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-curve-x25519", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05838a401a301012004215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac9864058401267ac1f28af69609d9085319ffa739380ec3e8d5bcbbdc87f1f9254d9fc24f7c2cf8226a9bbaa9636c8917254a4af4015bff98e551c7a3b1630f407f8b17d0b",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-with-kid", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05842a401a40101024801010101010101012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac98640584016ac88140496c69a51d4a5931320835ffb5a35863ee6a9789ba7bbe3d398986bd4e1ceccddde657541fca67acfcb1391ecf13015ff7d1e386bf52f5af62f0c07",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-with-alg", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a0583aa401a4010103322006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac986405840c8327b7757bad8657fb2aee159c660210f6c96fa777e9b4d715b8c1b093dedb4132e7ecd8197ea356a12e75ea982ecb115245622ccf1f35718126587316b2d05",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-without-curve", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05836a401a20101215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac986405840140b924ae105baab9e38961cb28148e25508582b62c3faefa5f381a9f9151956349bb50d81898c01453f64265d4f52b4a0aaf56bac50e10485a0cd9ce0686e0b",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-out-of-order", .kind = VECTOR_KEY, .key = 0, .reason = "malformed", .message =
   "d2844da201320448df8534b253850532a05838a401a320060101215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac98640584043b67b9f3e29e93b2c29fbc866eb38d13c217d61d23ecc0b901ed32132a8af8473933d32022c944caad1a9f5798b0eeae684ad4cfeb5a147e7baf02e7a951907",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-y-bool", .kind = VECTOR_KEY, .key = 3, .reason = "malformed", .message =
   "d2844da2012804482408bf98f2d0373ba0583aa401a40102200121582057e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab3422f50203031a6aa1f940041a6ac986405840bd650eb8e6edf84b9b64b714104d2e8c234cc812174dff40d7fd27e0f191d6b2704983a17f53aa2c112b0e142e47324338f8db12850722c1187695bad3bbd0e8",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-y-31", .kind = VECTOR_KEY, .key = 3, .reason = "malformed", .message =
   "d2844da2012804482408bf98f2d0373ba0585aa401a40102200121582057e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab3422581fc5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c20203031a6aa1f940041a6ac986405840c266a1d9365931346edf887de6e9ec9000b523981baab6ba7afe68dd9bba5d57f780d606ac0e3c3ff15245717d183a6a0585dce1b4ea8dd6ffb496a388a7d082",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-off-curve", .kind = VECTOR_KEY, .key = 3, .reason = "malformed", .message =
   "d2844da2012804482408bf98f2d0373ba0585ba401a40102200121582057e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34225820c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ed0203031a6aa1f940041a6ac986405840e7f9efb0ee9d17890df0a419082de90bc2f52ebc3d0359652a2015539654d26fc93ed66ecb73212beb520d9335d14c5bc24c43ebbe1e7d3c29fa431b4c420b53",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-point-zero", .kind = VECTOR_KEY, .key = 3, .reason = "malformed", .message =
   "d2844da2012804482408bf98f2d0373ba0585ba401a401022001215820000000000000000000000000000000000000000000000000000000000000000022582000000000000000000000000000000000000000000000000000000000000000000203031a6aa1f940041a6ac986405840dbe8281d1ef16e9ebcf20903c9c58e74ddde6678612c1043a782c4f67e7370b32aa494bb614552de8a8e092b8aed8bb381fe2850c510bf6a1832c337124abc1b",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-key-curve-p384", .kind = VECTOR_KEY, .key = 3, .reason = "malformed", .message =
   "d2844da2012804482408bf98f2d0373ba0585ba401a40102200221582057e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34225820c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ec0203031a6aa1f940041a6ac986405840c75d9ac98f1d213e8571775bdfb49a21fc92b42079a3bba82e47a3c8ca4e73adf98899f4f01d7702307f215b3b7141dd7a127d34c9691d3d34ea1406bbefaca4",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-by-online-key", .kind = VECTOR_KEY, .key = 0, .reason = "unknown-kid", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05838a401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac98640584074444ca8ed45164a40a8527f2eccd1220b73a46735b70080193c28d5d8a3982172cb3601162f01234bd179a033ce0a3334006c71d9c5394c16b7aa5fe4f2c208",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-forged", .kind = VECTOR_KEY, .key = 0, .reason = "bad-signature", .message =
   "d2844da201320448df8534b253850532a05838a401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac986405840637128f75d77dd204161308c803c4fb7d715afe3e0ea4696b3ee621897304598b4782df23d087caf1dc8fc7be8f290c1663b37bb1df3604f51976ce1d843270d",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-of-other-gateway", .kind = VECTOR_KEY, .key = 0, .reason = "bad-signature", .message =
   "d2844da201320448df8534b253850532a05838a401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac986405840691101216c22fe0664815b919a46fab02c1175e0da77d299de7b601a906605a313c8e7517567da1e4828d029c68e63efd1f35115bc1e9e8c258bbaa0a1664701",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-signed-as-beacon", .kind = VECTOR_KEY, .key = 0, .reason = "bad-signature", .message =
   "d2844da201320448df8534b253850532a05838a401a301012006215820a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f00203031a6aa1f940041a6ac986405840b097057e6ae365072c42fcc225846265d33c91fd03ee614e12c320051a2f4db42d807634c1ad7c4e05479b8a05576133b4b867002f91cf3bcce188e4817ec105",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "delegation-by-root-of-other-alg", .kind = VECTOR_KEY, .key = 0, .reason = "wrong-alg", .message =
   "d2844da2012804482408bf98f2d0373ba0585ba401a40102200121582057e977f6db7e33c3fe7acf2842ed987009caf56d458682fca447b7d3d762ab34225820c5ab3770ba573bdff5414065640ffb5b346dfa84dec4db4d68e5f59cc471c2ec0203031a6aa1f940041a6ac98640584043cb65d9d0cdb74a1e0ebf7f6da874ecd5e125631dff96f5b74c2e135a484dac5a3a21c421458def9e8b72621f08058a7cb95e9161ecd053945199883ae616ba",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-cut-short", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820e18e7a7ebb7f6b115ae2839ff43d906a59999cd8cc1b2d76e04c16ead5f8af",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-one-byte-more", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820e18e7a7ebb7f6b115ae2839ff43d906a59999cd8cc1b2d76e04c16ead5f8af1f00",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-untagged", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "8449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820e18e7a7ebb7f6b115ae2839ff43d906a59999cd8cc1b2d76e04c16ead5f8af1f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-signature-in-place-of-mac", .kind = VECTOR_RESPONSE, .key = -1, .reason = "wrong-kind", .message =
   "d2844da2013204486ee47c5a2e0e8a09a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b0358402f248b9656d5af5cff567926ce196095c11529f78bd3acd5604dc3b5eeed50eb73c25836c878bf6fa443106f4673125ac008dada8327cc788488ceb9e80a2d05",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-tag-of-16", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035001010101010101010101010101010101",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-unprotected-header", .kind = VECTOR_RESPONSE, .key = -1, .reason = "malformed", .message =
   "d18449a20105044400000001a10444000000015849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820e18e7a7ebb7f6b115ae2839ff43d906a59999cd8cc1b2d76e04c16ead5f8af1f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-alg-hmac-256-64", .kind = VECTOR_RESPONSE, .key = -1, .reason = "wrong-alg", .message =
   "d18449a20104044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b0358206278d4ef8d32523f13f16fdf00cdbd6be924aa04f1859da4b7027fcc183ea6cb",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-alg-none", .kind = VECTOR_RESPONSE, .key = -1, .reason = "wrong-alg", .message =
   "d18449a20100044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b03582029d58fc75e4a599a3cbc5896854725133d7b4938a5d4cf6f8f813ecb4c8262a5",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-old-generation", .kind = VECTOR_RESPONSE, .key = -1, .reason = "unknown-kid", .message =
   "d18449a20105044400000000a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b03582003a8703b6ea1c1a65361632180c4041a32bd067a55e2127253d41462b2ef3df6",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-next-generation", .kind = VECTOR_RESPONSE, .key = -1, .reason = "unknown-kid", .message =
   "d18449a20105044400000002a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b0358206b3e092ffea1d8753c197f2969518cd1e9f62b340cee9f8735051001a6b827fd",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-kid-8-bytes", .kind = VECTOR_RESPONSE, .key = -1, .reason = "unknown-kid", .message =
   "d1844da2010504480000000100000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820507b3370d652d651657267c0dc17ad1bc01457350c1c25f63f61117dee46126e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-bit-in-payload", .kind = VECTOR_RESPONSE, .key = -1, .reason = "bad-signature", .message =
   "d18449a20105044400000001a05849a901d903e9a2011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820e18e7a7ebb7f6b115ae2839ff43d906a59999cd8cc1b2d76e04c16ead5f8af1f",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-bit-in-tag", .kind = VECTOR_RESPONSE, .key = -1, .reason = "bad-signature", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820e18e7a7ebb7f6b115ae2839ff43d906a59999cd8cc1b2d76e04c16ead5f8af1e",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-other-node", .kind = VECTOR_RESPONSE, .key = -1, .reason = "bad-signature", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b03582045b24cbc5c28c9bfcdc3be6bdf3f1a036d3547a9b32a5471e4d4817784a6c053",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-other-gateway", .kind = VECTOR_RESPONSE, .key = -1, .reason = "bad-signature", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820b79b50a888beb796e68f34fef0bb03eafb0d7310da95db08b0022dadddb7e350",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-same-key-other-node-named", .kind = VECTOR_RESPONSE, .key = -1, .reason = "bad-signature", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820d57d46af4513047e29639779cb02bf06d9f142b6c02405e1ff79dd11f309f0f9",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-request-as-response", .kind = VECTOR_RESPONSE, .key = -1, .reason = "bad-signature", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b035820bac89b437ac22481fbda2f5adec21fa775203200510babf0f2bf9467d94801e3",
   .epoch = "", .nonce = "", .public_ = ""},
  {.name = "mac-without-node", .kind = VECTOR_RESPONSE, .key = -1, .reason = "bad-signature", .message =
   "d18449a20105044400000001a05849a901d903e9a3011a6ab13b8027a20100281a002625a0281a075bcd15024801020304050607080401050206000718250950030303030303030303030303030303030a1a000c65390b0358201140112548aa99f15fc93421e23caed17d8c267725075bfef5d2c8edc2505973",
   .epoch = "", .nonce = "", .public_ = ""},
};

#endif
