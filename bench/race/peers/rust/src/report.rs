use std::time::Duration;

/// Times of requests, with their quantiles.
#[derive(Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time.as_nanos() as u64);
    }

    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    fn quantiles(&mut self) -> [f64; 3] {
        self.0.sort_unstable();
        [0.5, 0.99, 0.999].map(|share: f64| {
            let rank = ((share * self.0.len() as f64).ceil() as usize).max(1) - 1;
            self.0.get(rank).map_or(0.0, |time| *time as f64 / 1e3)
        })
    }
}

/// What a client measured; printed as one line of JSON.
pub struct Report {
    pub bytes_down: u64,
    pub bytes_up: u64,
    pub count: u64,
    pub seconds: f64,
    pub verified: bool,
    pub latencies: Latencies,
}

impl Report {
    pub fn new() -> Report {
        Report { bytes_down: 0, bytes_up: 0, count: 0, seconds: 0.0, verified: true, latencies: Latencies::default() }
    }

    pub fn print(mut self) {
        let [p50, p99, p999] = self.latencies.quantiles();
        println!(
            "{{\"bytes_down\": {}, \"bytes_up\": {}, \"count\": {}, \"seconds\": {:.6}, \"verified\": {}, \
             \"p50_us\": {p50:.1}, \"p99_us\": {p99:.1}, \"p999_us\": {p999:.1}}}",
            self.bytes_down, self.bytes_up, self.count, self.seconds, self.verified
        );
    }
}

impl Default for Report {
    fn default() -> Report {
        Report::new()
    }
}

/// Says why this library has no such figure, and leaves.
pub fn unsupported(reason: &str) -> ! {
    println!("{{\"unsupported\": \"{reason}\"}}");
    std::process::exit(0);
}
