// Where customers' requests come in: the first span of every trace.

import TraceCore

/// Forwards to the user and the order service, and says who the customer is.
struct Gateway: Sendable {
    let service: Service

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        await service.answer(
            request,
            [
                Route("GET", "/users/{id}") { request, span in
                    let user = request.parameters["id", default: ""]
                    return await forward(
                        request, "/api/users/\(user)", to: "user-service", user, span)
                },
                Route("POST", "/orders") { request, span in
                    guard let order = JSON.decode(NewOrder.self, from: request.body) else {
                        return HTTPResponse(400, error: "Unreadable order")
                    }
                    return await forward(
                        request, "/api/orders", to: "order-service", order.userID, span)
                },
            ])
    }

    /// Sends the request on, with the customer's id in the baggage: every service after this one knows.
    private func forward(
        _ request: HTTPRequest, _ path: String, to host: String, _ user: String, _ span: ActiveSpan
    ) async -> HTTPResponse {
        var context = TraceContext.current
        context.baggage.set(UserBaggage.name, user)
        return await context.run {
            span.copyUserFromBaggage()
            var headers: HeaderList = ["content-type": "application/json"]
            for token in request.headers.values(of: "authorization").prefix(1) {
                headers.appendHeader("authorization", token)
            }
            let onward = HTTPRequest(request.method, path, headers: headers, body: request.body)
            do throws(HTTPError) {
                return try await service.send(onward, to: host)
            } catch {
                return HTTPResponse(error, from: host)
            }
        }
    }
}
