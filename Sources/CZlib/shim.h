// zlib as Swift sees it: the init calls are macros, so they need a function each.
#ifndef TRACEMILL_CZLIB_SHIM_H
#define TRACEMILL_CZLIB_SHIM_H

#include <string.h>
#include <zlib.h>

/// Prepares `stream` to write gzip (RFC 1952) at `level` 1…9. Returns a zlib status.
static inline int tracemill_gzip_init(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/// Prepares `stream` to read gzip only (RFC 1952). Returns a zlib status.
static inline int tracemill_gunzip_init(z_stream *stream) {
    return inflateInit2(stream, 15 + 16);
}

#endif
