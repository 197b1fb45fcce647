#if DEBUG
    // Defects on purpose, in debug builds only: each must make a run fail, or the ledger proves nothing.
    import Glibc
    import Synchronization

    /// A seeded defect, chosen by the environment variable TRACEMILL_MUTANT.
    package enum Mutant: String, Sendable, CaseIterable {
        /// A finished span vanishes before it reaches the queue.
        case dropSpan = "drop-span"
        /// A bit of a finished request body flips before it is sent.
        case flipByte = "flip-byte"
        /// A counter misses one.
        case freezeCounter = "freeze-counter"

        private static let active: Mutant? = {
            guard let value = unsafe getenv("TRACEMILL_MUTANT") else { return nil }
            return unsafe Mutant(rawValue: String(cString: value))
        }()
        /// Whether there is any.
        package static var isActive: Bool { active != nil }

        private static let chances = Atomic<Int>(0)

        /// True once in the process: at the third chance that the active defect has.
        package var strikes: Bool {
            guard Mutant.active == self else { return false }
            return Mutant.chances.add(1, ordering: .relaxed).newValue == 3
        }
    }
#endif
