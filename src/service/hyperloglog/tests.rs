//! The strings and counts here were taken from a redis-server.

use super::*;

/// Redis's default of `hll-sparse-max-bytes`.
const LIMIT: usize = 3000;

fn hll(elements: impl Iterator<Item = String>) -> Vec<u8> {
    let mut hll = empty().unwrap();
    mark_stale(&mut hll);
    elements.for_each(|element| {
        let would = would_change(&hll, element.as_bytes());
        assert_eq!(add(&mut hll, element.as_bytes(), LIMIT), would);
    });
    hll
}

fn numbered(name: &str, n: usize) -> Vec<u8> {
    hll((0..n).map(|n| format!("{name}:{n}")))
}

fn words(words: &str) -> Vec<u8> {
    hll(words.split_whitespace().map(str::to_owned))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

fn counted(hll: &mut [u8]) -> u64 {
    let counted = count(hll).unwrap();
    assert!(!counted.is_cached);
    remember(hll, counted.elements);
    assert_eq!(count(hll), Ok(Count { is_cached: true, ..counted }));
    counted.elements
}

fn union(of: &[&[u8]]) -> Union {
    let mut union = Union::default();
    of.iter().for_each(|hll| union.merge(hll).unwrap());
    union
}

#[test]
fn small_strings_are_those_of_redis() {
    assert_eq!(hex(&hll(std::iter::empty())), "48594c4c0100000000000000000000807fff");
    let mut three = words("foo bar zap");
    assert_eq!(hex(&three), "48594c4c0100000000000000000000805cb39042078448588058e7");
    assert_eq!(decoded(&three).unwrap().unwrap(), b"Z:7348 v:5,1 Z:520 v:2,1 Z:2137 v:1,1 Z:6376");
    let seven = words("a b c d e f g");
    let both = union(&[&three, &seven]).written(&empty().unwrap(), LIMIT).unwrap();
    assert_eq!(
        hex(&both),
        "48594c4c010000000000000000000080466d80560c80369042078441fb8438804621804a8e84498c80426d80425a"
    );
    assert_eq!(counted(&mut three), 3);
    assert_eq!(hex(&three), "48594c4c0100000003000000000000005cb39042078448588058e7");
    assert_eq!(count(&empty().unwrap()), Ok(Count { elements: 0, is_cached: true }));
}

#[test]
fn opcodes_are_joined_as_far_as_redis_looks() {
    for (before, after) in
        [("84808c9080807ff9", "84888c90817ff9"), ("84808c909480807ff8", "84888c909480807ff8")]
    {
        let mut hll = empty().unwrap();
        hll.truncate(HEADER_BYTES);
        let bytes = before.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        hll.extend(bytes.map(|pair| u8::from_str_radix(pair, 16).unwrap()));
        // Register 1, rank 3.
        assert_eq!(add(&mut hll, &0xb0af_58ce_0713_7b65_u64.to_be_bytes(), LIMIT), Ok(true));
        assert_eq!(hex(&hll[HEADER_BYTES..]), after);
    }
}

#[test]
fn long_strings_and_counts_are_those_of_redis() {
    for (n, len, sum, elements) in [
        (100, 285, 0x67b3_25af_8799_02d0, 99),
        (1_000, 1_897, 0xf28_a9d9_3d31_64c9, 997),
        (1_600, 2_886, 0x22e4_803b_acfa_adbc, 1_604),
        (2_000, DENSE_BYTES, 0xcce1_8855_76fa_ad71, 2_004),
        (10_000, DENSE_BYTES, 0xf1d8_d3e8_afae_b877, 10_017),
        (100_000, DENSE_BYTES, 0x8c61_5f2c_0212_2d45, 100_039),
    ] {
        let mut hll = numbered("element", n);
        assert_eq!((hll.len(), checksum(&hll)), (len, sum), "{n} elements");
        assert_eq!(counted(&mut hll), elements);
        assert_eq!(union(&[&hll]).count(), elements, "the union of one is the same");
    }
}

#[test]
fn unions_are_those_of_redis() {
    let mut others = 0;
    for (more, n, len, sum, elements) in [
        (100, 1_000, 2_059, 0xcb2c_0f16_f5bf_9099, 1_095),
        (1_000, 10_000, DENSE_BYTES, 0x19ef_92cb_e04f_e01a, 10_991),
    ] {
        others = others.max(more);
        let union = union(&[&numbered("other", others), &numbered("element", n)]);
        let mut written = union.written(&empty().unwrap(), LIMIT).unwrap();
        assert_eq!((written.len(), checksum(&written)), (len, sum), "{more} and {n} elements");
        assert_eq!((union.count(), counted(&mut written)), (elements, elements));
    }
}

#[test]
fn dense_and_sparse_agree() {
    let sparse = numbered("element", 1_000);
    let dense = densified(&sparse).unwrap().unwrap();
    assert_eq!(densified(&dense), Ok(None));
    assert_eq!((encoding(&sparse), encoding(&dense)), (Ok(Encoding::Sparse), Ok(Encoding::Dense)));
    assert_eq!(union(&[&sparse]).registers(), union(&[&dense]).registers());
    assert_eq!(count(&sparse), count(&dense));
    assert_eq!(decoded(&dense), Ok(None));
    for n in 0..3_000 {
        let element = format!("element:{n}");
        let would = would_change(&dense, element.as_bytes()).unwrap();
        assert_eq!(would_change(&sparse, element.as_bytes()), Ok(would));
        assert!(
            !add_in_place(&mut sparse.clone(), element.as_bytes()),
            "only a dense one is changed in place"
        );
        let (mut changed, mut copied) = (dense.clone(), copy(&dense).unwrap());
        assert_eq!(add_in_place(&mut changed, element.as_bytes()), would);
        assert_eq!(add(&mut copied, element.as_bytes(), LIMIT), Ok(would));
        assert_eq!(changed, copied);
    }
}

/// Seeded random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A sound sparse string that neither Redis nor this room would write: equal neighbours are not joined.
fn unjoined(random: &mut Random) -> Vec<u8> {
    let mut hll = empty().unwrap();
    hll.truncate(HEADER_BYTES);
    let mut registers = 0;
    while registers < 3_000 {
        let opcode = match random.below(8) {
            0 => vec![random.below(3) as u8],
            1 => vec![0x40, random.below(3) as u8],
            _ => vec![0x80 | (random.below(2) << 2 | random.below(4)) as u8],
        };
        registers += usize::from(opcode[opcode.len() - 1] & 3) + 1;
        hll.extend(opcode);
    }
    let more = REGISTERS - registers - 1;
    hll.extend([0x40 | (more >> 8) as u8, more as u8]);
    hll
}

#[test]
fn a_walk_that_goes_on_writes_what_fresh_walks_write() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut resumed = if seed % 2 == 0 { empty().unwrap() } else { unjoined(&mut random) };
        let mut fresh = resumed.clone();
        for _ in 0..4 {
            let mut walk = Walk::new();
            let step = [1, 2, 5, 40][random.below(4) as usize];
            let mut register = random.below(step) as usize;
            while register < 3_000 {
                let rank = (random.below(2) + random.below(3) / 2 + 1) as u8;
                let mark = Mark { register, rank };
                let raised = raise(&mut resumed, mark, 20_000, &mut walk);
                assert_eq!(raised, raise(&mut fresh, mark, 20_000, &mut Walk::new()));
                register += 1 + random.below(step) as usize;
            }
            assert_eq!(hex(&resumed), hex(&fresh), "seed {seed}");
        }
    }
}

#[test]
fn hostile_strings_are_refused_or_changed_without_harm() {
    let sound = [numbered("element", 300), numbered("element", 3_000)];
    for (string, last) in [(&b""[..], 0), (b"HYLL", 0), (b"HYLL\x01\0\0\0\0\0\0\0\0\0\0", 0), (&sound[1], 1)]
    {
        assert_eq!(encoding(&string[..string.len() - last]), Err(Flaw::Foreign));
    }
    let mut random = Random(1);
    for round in 0..20_000_usize {
        let mut string = sound[round % 2].clone();
        for _ in 0..3 {
            let (byte, at) = (random.below(256) as u8, random.below(1 << 16) as usize);
            match random.below(4) {
                0 => string.truncate(at % (string.len() + 1)),
                1 => string.push(byte),
                2 => string.insert(at % (string.len() + 1), byte),
                _ => {
                    let at = at % 40;
                    string.iter_mut().skip(at).take(1).for_each(|changed| *changed = byte);
                }
            }
        }
        let added = add(&mut string.clone(), &round.to_le_bytes(), LIMIT);
        let mut union = Union::default();
        let merged = union.merge(&string);
        mark_stale(&mut string);
        assert_eq!(count(&string).is_ok(), merged.is_ok());
        assert!(merged.is_err() || added.is_ok() && union.written(&string, LIMIT).is_ok());
    }
    let mut overlong = [&sound[0][..], &vec![0x80; 40_000]].concat();
    assert_eq!(add(&mut overlong, b"x", LIMIT), Err(Flaw::Corrupted));
    assert_eq!(would_change(&overlong, b"x"), Err(Flaw::Corrupted));
    assert_eq!(copy(&overlong), Err(Flaw::Corrupted));
}

#[test]
fn registers_that_no_hash_gives_have_the_count_of_redis() {
    let mut ones = [b"HYLL\0\0\0\0".as_slice(), &[0xff; DENSE_BYTES - 8]].concat();
    assert_eq!(count(&ones).unwrap().elements, 1 << 63);
    ones[HEADER_BYTES] = 0b1111_0010;
    assert_eq!(count(&ones).unwrap().elements, 1 << 63);
}

#[test]
fn without_memory_nothing_changes() {
    let mut full = numbered("element", 1_600);
    let new =
        (0..).map(|n| format!("new:{n}")).find(|new| would_change(&full, new.as_bytes()).unwrap()).unwrap();
    let other = numbered("other", 500);
    full.shrink_to_fit();
    let union = union(&[&full, &other]);
    let (before, len) = (full.clone(), full.len());
    let mut refused = 0;
    for bytes in (0..20_000).step_by(500) {
        memory::allow(bytes);
        let results = [
            add(&mut full, new.as_bytes(), len).map(|_| ()),
            densified(&full).map(|_| ()),
            union.written(&full, LIMIT).map(|_| ()),
        ];
        memory::allow(usize::MAX);
        if results[0].is_err() {
            refused += 1;
            assert_eq!(results, [Err(Flaw::OutOfMemory); 3]);
            assert_eq!(full, before);
        } else {
            full = before.clone();
            full.shrink_to_fit();
        }
    }
    assert!(refused > 10);
    memory::allow(0);
    assert_eq!(empty(), Err(OutOfMemory));
    memory::allow(usize::MAX);
}

#[test]
fn the_self_test_passes_or_says_that_memory_ran_out() {
    assert_eq!(self_test(), Ok(true));
    memory::allow(10_000);
    assert_eq!(self_test(), Err(Flaw::OutOfMemory));
    memory::allow(usize::MAX);
}
