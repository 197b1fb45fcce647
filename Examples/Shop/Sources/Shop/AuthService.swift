// Whose token is this?

import TraceCore

struct AuthService: Sendable {
    let service: Service
    /// The user that each token stands for.
    let tokens: [String: String]

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        await service.answer(request, [Route("POST", "/api/verify", verify)])
    }

    private func verify(_ request: HTTPRequest, _ span: ActiveSpan) async -> HTTPResponse {
        let question = JSON.decode([String: String].self, from: request.body)
        guard let user = question?["user_id"] else {
            return HTTPResponse(400, error: "Unreadable question")
        }
        let bearer = request.headers.values(of: "authorization").first ?? ""
        let isAllowed = tokens[String(bearer.trimmingPrefix("Bearer "))] == user
        span.setAttributes(["auth.allowed": .bool(isAllowed)])
        return isAllowed ? HTTPResponse(200) : HTTPResponse(403, error: "Not your account")
    }
}
