// Certificates that are made when the sink starts, with the system's OpenSSL, and gone when it ends. Keys
// never leave the process's memory.

import COpenSSL

/// A certificate (X.509 version 3, RFC 5280) and its key on the curve P-256. One thread.
@safe final class SinkCertificate {
    let certificate: OpaquePointer
    let key: OpaquePointer

    /// What a certificate says of its holder.
    struct Subject {
        /// Its common name.
        var name: String
        /// Whom it stands for, as openssl.cnf(5) writes it: `IP:127.0.0.1,DNS:localhost`; nil for an
        /// authority.
        var alternativeNames: String?
        /// From when to when it is good, in days from now.
        var days = -1...365
    }

    /// Takes over both.
    private init(certificate: OpaquePointer, key: OpaquePointer) {
        unsafe self.certificate = certificate
        unsafe self.key = key
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe EVP_PKEY_free(key)
    }

    /// Makes a key and a certificate for it, signed by `authority`, or by itself where there is none.
    static func make(
        _ subject: Subject, signedBy authority: SinkCertificate? = nil
    ) throws(SinkStartError) -> SinkCertificate {
        guard let key = unsafe tracemill_ssl_new_key() else { throw failure("no key for", subject) }
        guard let certificate = unsafe X509_new() else {
            unsafe EVP_PKEY_free(key)
            throw failure("no memory for", subject)
        }
        let made = unsafe SinkCertificate(certificate: certificate, key: key)
        let signer = authority ?? made
        let name = unsafe X509_get_subject_name(certificate)
        let isNamed =
            unsafe X509_NAME_add_entry_by_txt(
                name, "CN", MBSTRING_UTF8, subject.name, -1, -1, 0) == 1
        let isDated =
            unsafe X509_time_adj_ex(
                X509_getm_notBefore(certificate), Int32(subject.days.lowerBound), 0, nil) != nil
            && X509_time_adj_ex(
                X509_getm_notAfter(certificate), Int32(subject.days.upperBound), 0, nil) != nil
        let isNumbered =
            unsafe X509_set_version(certificate, 2) == 1
            && ASN1_INTEGER_set_uint64(
                X509_get_serialNumber(certificate), .random(in: 1...UInt64(Int64.max))) == 1
        let isKeyed =
            unsafe X509_set_pubkey(certificate, key) == 1
            && X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate)) == 1
        guard isNamed, isDated, isNumbered, isKeyed else { throw failure("cannot make", subject) }
        var extensions = [(NID_subject_key_identifier, "hash")]
        if let names = subject.alternativeNames {
            extensions += [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_ext_key_usage, "serverAuth"),
                (NID_subject_alt_name, names),
            ]
        } else {
            extensions += [
                (NID_basic_constraints, "critical,CA:TRUE"),
                (NID_key_usage, "critical,keyCertSign"),
            ]
        }
        for (kind, value) in extensions {
            guard
                let entry = unsafe tracemill_ssl_extension(
                    signer.certificate, certificate, kind, value)
            else { throw failure("'\(value)' cannot stand in", subject) }
            defer { unsafe X509_EXTENSION_free(entry) }
            guard unsafe X509_add_ext(certificate, entry, -1) == 1 else {
                throw failure("cannot add '\(value)' to", subject)
            }
        }
        guard unsafe X509_sign(certificate, signer.key, EVP_sha256()) > 0 else {
            throw failure("cannot sign", subject)
        }
        return made
    }

    /// The certificate alone, as PEM (RFC 7468).
    func pem() throws(SinkStartError) -> [UInt8] {
        guard let output = unsafe BIO_new(BIO_s_mem()) else {
            throw SinkStartError(description: "no memory for a certificate")
        }
        defer { unsafe BIO_free(output) }
        guard unsafe PEM_write_bio_X509(output, certificate) == 1 else {
            throw SinkStartError(description: "a certificate cannot be written")
        }
        var bytes = [UInt8](repeating: 0, count: Int(unsafe BIO_ctrl_pending(output)))
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe BIO_read(output, $0.baseAddress, Int32($0.count))
        }
        return Array(bytes.prefix(Int(max(0, count))))
    }

    private static func failure(_ what: String, _ subject: Subject) -> SinkStartError {
        let code = ERR_get_error()
        var text = [CChar](repeating: 0, count: 256)
        unsafe ERR_error_string_n(code, &text, text.count)
        let reason = String(
            decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return SinkStartError(
            description: "\(what) the certificate of \(subject.name): \(reason)")
    }
}
