/// The order of a plan's events: they are made call by call, which is out of order wherever
/// branches run side by side, messages arrive later, or a caller gives up on its callee. Events of
/// one instant form a block; blocks are sorted by time, those of equal times in the order they
/// were made, which is the order of cause and effect. One thread; keeps its memory.
struct PlanBlocks: Sendable {
    private var times: [UInt64] = []
    private var numbers: [Int32] = []
    private var firstEvents: [Int] = []
    private var scratch: [PlanEvent] = []
    private var isSorted = true
    private var firstEvent = 0

    mutating func begin(at firstEvent: Int) {
        times.removeAll(keepingCapacity: true)
        firstEvents.removeAll(keepingCapacity: true)
        isSorted = true
        self.firstEvent = firstEvent
    }

    mutating func append(timeNs: UInt64, firstEvent: Int) {
        if let last = times.last, timeNs < last { isSorted = false }
        times.append(timeNs)
        firstEvents.append(firstEvent)
    }

    /// Puts the events since `begin` in order of time.
    mutating func sort(_ events: inout [PlanEvent]) {
        if isSorted { return }
        firstEvents.append(events.count)
        numbers.removeAll(keepingCapacity: true)
        for number in times.indices { numbers.append(Int32(number)) }
        if times.count <= 128 {
            insertionSort()
        } else {
            let times = times
            numbers.sort { (times[Int($0)], $0) < (times[Int($1)], $1) }
        }
        scratch.removeAll(keepingCapacity: true)
        for number in numbers {
            let block = Int(number)
            for index in firstEvents[block]..<firstEvents[block + 1] {
                scratch.append(events[index])
            }
        }
        for index in scratch.indices { events[firstEvent + index] = scratch[index] }
    }

    /// Stable, and quick on what is nearly sorted, as plans are.
    private mutating func insertionSort() {
        for index in 1..<times.count {
            let (time, number) = (times[index], numbers[index])
            var place = index
            while place > 0, times[place - 1] > time {
                times[place] = times[place - 1]
                numbers[place] = numbers[place - 1]
                place -= 1
            }
            (times[place], numbers[place]) = (time, number)
        }
    }
}
