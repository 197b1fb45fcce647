// libdeflate: whole bodies at once, which is all that an exporter needs.
#ifndef TRACEMILL_CDEFLATE_SHIM_H
#define TRACEMILL_CDEFLATE_SHIM_H

#include <libdeflate.h>

#endif
