// Made by tail_share.py; see there.

enum TailShareVectors {
    static let hashes: [(salt: String, high: UInt64, low: UInt64, hash: UInt64)] = [
        ("", 0x0000_0000_0000_0000, 0x0000_0000_0000_0001, 0xE195_35EE_D1BB_AA8A),
        ("", 0x0102_0304_0506_0708, 0x090A_0B0C_0D0E_0F10, 0xDBCF_64D5_420F_4CAD),
        ("", 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF, 0x17BE_C373_9634_FE2D),
        ("", 0xB6BF_613D_BEBB_45DC, 0xD177_0797_7078_336C, 0xD808_DA03_6E09_10FB),
        ("seed", 0x0000_0000_0000_0000, 0x0000_0000_0000_0001, 0xFE6F_1F3B_08BC_ECDF),
        ("seed", 0x0102_0304_0506_0708, 0x090A_0B0C_0D0E_0F10, 0xFECF_33AF_C903_0D7C),
        ("seed", 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF, 0xED92_FE58_E96A_411C),
        ("seed", 0xB6BF_613D_BEBB_45DC, 0xD177_0797_7078_336C, 0xEA7B_E69C_8DD1_F496),
        ("größe", 0x0000_0000_0000_0000, 0x0000_0000_0000_0001, 0xA236_C59A_F3C7_E90D),
        ("größe", 0x0102_0304_0506_0708, 0x090A_0B0C_0D0E_0F10, 0x4D69_7AE2_5CD7_5B4A),
        ("größe", 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF, 0xC7AD_A642_A7C6_094A),
        ("größe", 0xB6BF_613D_BEBB_45DC, 0xD177_0797_7078_336C, 0x6D7B_80EC_8F76_FCEC),
    ]
    static let kept: [(share: Double, traces: Int)] = [
        (0.0, 0),
        (1e-09, 0),
        (0.001, 0),
        (0.01, 8),
        (0.1, 106),
        (0.3333333333333333, 334),
        (0.5, 510),
        (0.9, 911),
        (0.999999, 1000),
        (1.0, 1000),
    ]
}
