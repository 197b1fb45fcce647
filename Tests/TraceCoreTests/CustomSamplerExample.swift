import TraceCore

/// Keeps what a tenant pays for: everything of some tenants, and of the others this share.
struct TenantSampler: CustomSampler {
    var tenants: Set<String>
    var share: Double

    private static let tenantKey = AttributeKey("tenant.id")
    private static let reasonKey = AttributeKey("sampling.reason")

    var description: String {
        "TenantSampler{\(tenants.sorted().joined(separator: ",")),\(share)}"
    }

    func sample(_ request: SamplingRequest) -> SamplingResult {
        // Children follow their parent, so that traces stay whole.
        if let parent = request.parent, parent.isValid {
            return SamplingResult(parent.isSampled ? .recordAndSample : .drop)
        }
        if case .string(let tenant) = request.attributes[Self.tenantKey], tenants.contains(tenant) {
            var attributes = SpanAttributes()
            attributes.set(Self.reasonKey, "tenant")
            return SamplingResult(.recordAndSample, attributes: attributes)
        }
        // The low 56 bits of the trace id are random: the same share everywhere.
        let randomness = request.traceID.low & 0xff_ffff_ffff_ffff
        let isKept = randomness >= ProbabilityThreshold.of(probability: share)
        return SamplingResult(isKept ? .recordAndSample : .recordOnly)
    }
}
