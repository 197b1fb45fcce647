// Who a user is, for those who may know.

import TraceCore

struct User: Codable, Sendable {
    var id: String
    var name: String
}

struct UserService: Sendable {
    let service: Service
    private let auth: AuthClient
    private let users: Database<User>

    init(_ service: Service, users: [String: User]) {
        self.service = service
        auth = AuthClient(service: service)
        self.users = Database("users_db", table: "users", service.tracer, rows: users)
    }

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        await service.answer(request, [Route("GET", "/api/users/{id}", show)])
    }

    /// The span is that of the request; the handler adds what it knows.
    private func show(_ request: HTTPRequest, _ span: ActiveSpan) async -> HTTPResponse {
        let id = request.parameters["id", default: ""]
        span.setAttributes(["user_id": .string(id), "endpoint": "user.show"])
        guard let user = await users.query("SELECT", { $0[id] }) else {
            span.setStatus(.error, "User not found")
            return HTTPResponse(404, error: "User not found")
        }
        do throws(AuthError) {
            try await auth.verifyAccess(request.headers.values(of: "authorization").first, id)
            span.setStatus(.ok)
            return HTTPResponse(200, body: JSON.encode(user))
        } catch .forbidden {
            span.setStatus(.error, "Permission denied")
            return HTTPResponse(403, error: "Permission denied")
        } catch {
            return HTTPResponse(502, error: "Permissions cannot be checked")
        }
    }
}

enum AuthError: Error {
    case forbidden
    case serviceError
    case networkError
}

/// Asks the auth service.
struct AuthClient: Sendable {
    let service: Service

    /// - Parameter authorization: the header's value, as it came.
    func verifyAccess(_ authorization: String?, _ userID: String) async throws(AuthError) {
        let request = HTTPRequest(
            "POST", "/api/verify",
            headers: ["content-type": "application/json", "authorization": authorization ?? ""],
            body: JSON.encode(["user_id": userID]))
        // A result comes out of the span's body, not an error: the statuses are set here, and there is
        // no exception to record where the other side has answered.
        try await service.tracer.withSpan(
            "auth_client.verify_access",
            attributes: ["user_id": .string(userID), "downstream_service": "auth-service"]
        ) { span -> Result<Void, AuthError> in
            do throws(HTTPError) {
                let response = try await service.send(request, to: "auth-service")
                switch response.status {
                case 200:
                    span.setStatus(.ok)
                    return .success(())
                case 403:
                    span.setStatus(.error, "Authorization failed")
                    return .failure(.forbidden)
                default:
                    span.setStatus(.error, "Unexpected status: \(response.status)")
                    return .failure(.serviceError)
                }
            } catch {
                span.setStatus(.error, "\(error)")
                span.recordException(error)
                return .failure(.networkError)
            }
        }.get()
    }
}
