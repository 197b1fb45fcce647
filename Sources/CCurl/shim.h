// libcurl as Swift sees it: setopt and getinfo are variadic, so each argument type needs a function.
#ifndef TRACEMILL_CCURL_SHIM_H
#define TRACEMILL_CCURL_SHIM_H

#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
#include <stddef.h>

#if LIBCURL_VERSION_NUM < 0x075700
#error "libcurl 7.87 or newer is needed (CURLOPT_QUICK_EXIT)"
#endif

/// Takes `count` items of `size` bytes; returns the bytes taken, anything else ends the transfer.
typedef size_t (*tracemill_curl_data_callback)(char *data, size_t size, size_t count, void *user);

/// Called just before a request is written to a connection, also when libcurl repeats it by itself.
typedef int (*tracemill_curl_request_callback)(void *user, char *remote_address,
                                               char *local_address, int remote_port,
                                               int local_port);

static inline CURLcode tracemill_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode tracemill_curl_set_offset(CURL *handle, CURLoption option,
                                                 curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

/// libcurl copies the string.
static inline CURLcode tracemill_curl_set_string(CURL *handle, CURLoption option,
                                                 const char *value) {
    return curl_easy_setopt(handle, option, value);
}

/// libcurl keeps the pointer.
static inline CURLcode tracemill_curl_set_pointer(CURL *handle, CURLoption option,
                                                  const void *value) {
    return curl_easy_setopt(handle, option, value);
}

/// libcurl keeps the list.
static inline CURLcode tracemill_curl_set_list(CURL *handle, CURLoption option,
                                               struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode tracemill_curl_set_data_callback(CURL *handle, CURLoption option,
                                                        tracemill_curl_data_callback value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode tracemill_curl_set_request_callback(CURL *handle,
                                                           tracemill_curl_request_callback value) {
    return curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, value);
}

static inline CURLcode tracemill_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLcode tracemill_curl_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLcode tracemill_curl_get_pointer(CURL *handle, CURLINFO info, void **value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLMcode tracemill_curl_multi_set_long(CURLM *multi, CURLMoption option,
                                                      long value) {
    return curl_multi_setopt(multi, option, value);
}

/// The finished transfer's handle and result, or NULL when none is left. A union in libcurl.
static inline CURL *tracemill_curl_multi_next_done(CURLM *multi, CURLcode *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return message->easy_handle;
        }
    }
    return NULL;
}

#endif
