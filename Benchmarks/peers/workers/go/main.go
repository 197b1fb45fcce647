// Go's opentelemetry SDK as Debian has it: span rows only, since its OTLP exporter is not packaged.
// The same loops and the same answer as workers/common.py.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sys/unix"
)

const (
	name             = "GET /api/orders/{id}"
	burstSpans       = 4096
	repetitions      = 3
	repetitionNs     = 150_000_000
	repetitionBursts = 48
)

// discard counts spans and forgets them.
type discard struct{ spans int64 }

func (exporter *discard) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	atomic.AddInt64(&exporter.spans, int64(len(spans)))
	return nil
}

func (*discard) Shutdown(context.Context) error { return nil }

// threadNs is the CPU time of this thread: the exporter's and the collector's own threads are not in it.
func threadNs() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		fail(err)
	}
	return now.Nano()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// makeSpans starts spans, gives each its attributes and ends it: all five in one call, its cheapest.
func makeSpans(tracer trace.Tracer, first, count int) {
	background := context.Background()
	for number := first; number < first+count; number++ {
		_, span := tracer.Start(background, name, trace.WithSpanKind(trace.SpanKindServer))
		status := 200
		if number&15 == 0 {
			status = 404
		}
		span.SetAttributes(
			attribute.String("http.request.method", "GET"),
			attribute.String("http.route", "/api/orders/{id}"),
			attribute.Int("http.response.status_code", status),
			attribute.Int("http.response.body.size", number),
			attribute.Bool("cache.hit", number&1 == 0))
		span.End()
	}
}

func makeBare(tracer trace.Tracer, count int) {
	background := context.Background()
	for number := 0; number < count; number++ {
		_, span := tracer.Start(background, name, trace.WithSpanKind(trace.SpanKindServer))
		span.End()
	}
}

// repeated is the median of the repetitions, after one burst to warm up, and the spans made for it.
func repeated(burst func(number int)) (float64, int) {
	var figures []float64
	spans := 0
	for repetition := 0; repetition <= repetitions; repetition++ {
		var passed int64
		count := 0
		for done := 0; done < repetitionBursts && passed < repetitionNs; done++ {
			start := threadNs()
			burst(spans)
			passed += threadNs() - start
			count += burstSpans
			spans += burstSpans
			if repetition == 0 {
				break
			}
			between()
		}
		if repetition > 0 {
			figures = append(figures, float64(passed)/float64(count))
		}
	}
	sort.Float64s(figures)
	return figures[len(figures)/2], spans
}

// between empties the queue, outside of the time.
var between = func() {}

func main() {
	measure := flag.String("measure", "", "sampled or unsampled")
	queue := flag.Int("queue", 0, "bound of the batch processor's queue, spans")
	batch := flag.Int("batch", 0, "spans of an export at most")
	flag.Parse()
	runtime.LockOSThread()

	sampler := sdktrace.AlwaysSample()
	if *measure == "unsampled" {
		sampler = sdktrace.NeverSample()
	}
	exporter := &discard{}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sampler),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "bench"))),
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(*queue),
			sdktrace.WithMaxExportBatchSize(*batch), sdktrace.WithBatchTimeout(100*time.Millisecond)))
	tracer := provider.Tracer("tracemill.bench")

	var value float64
	var spans int
	switch *measure {
	case "sampled":
		between = func() {
			if err := provider.ForceFlush(context.Background()); err != nil {
				fail(err)
			}
		}
		value, spans = repeated(func(number int) { makeSpans(tracer, number, burstSpans) })
	case "unsampled":
		value, _ = repeated(func(int) { makeBare(tracer, burstSpans) })
	default:
		fail(fmt.Errorf("--measure %q: sampled or unsampled", *measure))
	}
	if err := provider.Shutdown(context.Background()); err != nil {
		fail(err)
	}
	if exported := atomic.LoadInt64(&exporter.spans); exported != int64(spans) {
		fail(fmt.Errorf("%d spans made, %d exported", spans, exported))
	}
	answer, err := json.Marshal(map[string]interface{}{"value": value, "spans": spans})
	if err != nil {
		fail(err)
	}
	fmt.Println(string(answer))
}
