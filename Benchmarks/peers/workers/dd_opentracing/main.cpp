// Datadog's OpenTracing client for C++ as Debian has it: span rows only, since it sends its own format to its
// own agent. Finished traces go to its encoder, which is emptied between the bursts.
// The same loops and the same answer as workers/common.py.
#include <datadog/opentracing.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <tuple>
#include <vector>

namespace {

constexpr int burstSpans = 4096;
constexpr int repetitions = 3;
constexpr int repetitionBursts = 48;
constexpr std::int64_t repetitionNs = 150'000'000;

// CPU time of this thread.
std::int64_t threadNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void makeSpans(opentracing::Tracer& tracer, std::int64_t first) {
  for (std::int64_t number = first; number < first + burstSpans; ++number) {
    auto span = tracer.StartSpan("GET /api/orders/{id}");
    span->SetTag("http.request.method", "GET");
    span->SetTag("http.route", "/api/orders/{id}");
    span->SetTag("http.response.status_code", std::int64_t{(number & 15) == 0 ? 404 : 200});
    span->SetTag("http.response.body.size", number);
    span->SetTag("cache.hit", (number & 1) == 0);
    span->Finish();
  }
}

void makeBare(opentracing::Tracer& tracer) {
  for (int number = 0; number < burstSpans; ++number) {
    tracer.StartSpan("GET /api/orders/{id}")->Finish();
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool isSampled = true;
  for (int index = 1; index + 1 < argc; ++index) {
    if (std::strcmp(argv[index], "--measure") == 0) {
      isSampled = std::strcmp(argv[index + 1], "unsampled") != 0;
    }
  }
  datadog::opentracing::TracerOptions options;
  options.service = "bench";
  options.sample_rate = isSampled ? 1 : 0;
  // Otherwise it keeps a hundred traces a second.
  options.sampling_limit_per_second = 1e9;
  std::shared_ptr<opentracing::Tracer> tracer;
  std::shared_ptr<datadog::opentracing::TraceEncoder> encoder;
  std::tie(tracer, encoder) = datadog::opentracing::makeTracerAndEncoder(options);

  std::vector<double> figures;
  std::int64_t spans = 0;
  for (int repetition = 0; repetition <= repetitions; ++repetition) {
    std::int64_t passed = 0;
    std::int64_t count = 0;
    int bursts = repetition == 0 ? 1 : repetitionBursts;
    for (; bursts > 0 && passed < repetitionNs; --bursts) {
      const auto start = threadNs();
      if (isSampled) {
        makeSpans(*tracer, spans);
      } else {
        makeBare(*tracer);
      }
      passed += threadNs() - start;
      count += burstSpans;
      spans += burstSpans;
      // A trace of each span: its root.
      if (encoder->pendingTraces() != burstSpans) {
        std::fprintf(stderr, "%d spans made, %zu with the encoder\n", burstSpans, encoder->pendingTraces());
        return 1;
      }
      encoder->clearTraces();
    }
    if (repetition > 0) figures.push_back(static_cast<double>(passed) / static_cast<double>(count));
  }
  std::sort(figures.begin(), figures.end());
  std::printf("{\"value\": %.3f, \"spans\": %lld}\n", figures[figures.size() / 2],
              static_cast<long long>(isSampled ? spans : 0));
  return 0;
}
