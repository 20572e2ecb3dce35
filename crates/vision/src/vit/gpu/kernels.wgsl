// The five kernels of a forward pass. Matrices lie in rows; every kernel has the same bindings and uses its part of them.

struct Params {
    rows: u32,      // of the output
    inner: u32,     // summed over, or a head's width
    columns: u32,   // of the output
    flags: u32,     // of the product
    tokens: u32,    // of an image
    first: u32,     // tokens before the first patch
    stride: u32,    // values between two rows of the input
    real: f32,      // ε, or the factor of scores
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

const BIAS: u32 = 1u;
const GELU: u32 = 2u;
const SCALE: u32 = 4u;
const ACCUMULATE: u32 = 8u;

// erf as on the processor (crates/vision/src/kernels/lanes.rs).
fn erf(v: f32) -> f32 {
    let a = clamp(v, -3.832507, 3.832507);
    let s = a * a;
    var n = 2.2905065e-4;
    n = fma(n, s, 3.408291e-3);
    n = fma(n, s, 5.0955695e-2);
    n = fma(n, s, 1.8520833e-1);
    n = fma(n, s, 1.1283792);
    var d = -1.1791603e-7;
    d = fma(d, s, 2.3547966e-5);
    d = fma(d, s, 1.0179625e-3);
    d = fma(d, s, 1.407047e-2);
    d = fma(d, s, 1.1098505e-1);
    d = fma(d, s, 4.9746925e-1);
    d = fma(d, s, 1.0);
    return a * n / d;
}

var<workgroup> xs: array<f32, 1024>;
var<workgroup> ws: array<f32, 1024>;

// out (+)= scale · act(x · w + bias): 64×64 values a group, 4×4 a thread, sixteen terms at a time through shared memory.
@compute @workgroup_size(16, 16)
fn product(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) l: vec3<u32>,
    @builtin(local_invocation_index) i: u32,
) {
    let row0 = group.y * 64u;
    let column0 = group.x * 64u;
    var sum: array<vec4<f32>, 4>;
    for (var k0 = 0u; k0 < p.inner; k0 += 16u) {
        for (var s = 0u; s < 4u; s += 1u) {
            let e = i + s * 256u;
            let row = row0 + e / 16u;
            let k = k0 + e % 16u;
            var v = 0.0;
            if row < p.rows && k < p.inner {
                v = x[row * p.stride + k];
            }
            xs[(e % 16u) * 64u + e / 16u] = v;
            let kw = k0 + e / 64u;
            let column = column0 + e % 64u;
            v = 0.0;
            if kw < p.inner && column < p.columns {
                v = w[kw * p.columns + column];
            }
            ws[e] = v;
        }
        workgroupBarrier();
        for (var k = 0u; k < 16u; k += 1u) {
            let a = k * 64u + l.y * 4u;
            let b = k * 64u + l.x * 4u;
            let right = vec4<f32>(ws[b], ws[b + 1u], ws[b + 2u], ws[b + 3u]);
            sum[0] = fma(vec4<f32>(xs[a]), right, sum[0]);
            sum[1] = fma(vec4<f32>(xs[a + 1u]), right, sum[1]);
            sum[2] = fma(vec4<f32>(xs[a + 2u]), right, sum[2]);
            sum[3] = fma(vec4<f32>(xs[a + 3u]), right, sum[3]);
        }
        workgroupBarrier();
    }
    for (var r = 0u; r < 4u; r += 1u) {
        let row = row0 + l.y * 4u + r;
        for (var c = 0u; c < 4u; c += 1u) {
            let column = column0 + l.x * 4u + c;
            if row < p.rows && column < p.columns {
                finish(row * p.columns + column, column, sum[r][c]);
            }
        }
    }
}

fn finish(at: u32, column: u32, value: f32) {
    var v = value;
    if (p.flags & BIAS) != 0u {
        v += bias[column];
    }
    if (p.flags & GELU) != 0u {
        v = 0.5 * v * (1.0 + erf(v * 0.70710678));
    }
    if (p.flags & SCALE) != 0u {
        v *= scale[column];
    }
    if (p.flags & ACCUMULATE) != 0u {
        v += out[at];
    }
    out[at] = v;
}

var<workgroup> part: array<f32, 64>;

// The sum of every thread's value, known to all.
fn total(i: u32, value: f32) -> f32 {
    part[i] = value;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if i < half {
            part[i] += part[i + half];
        }
        workgroupBarrier();
    }
    let sum = part[0];
    workgroupBarrier();
    return sum;
}

fn largest(i: u32, value: f32) -> f32 {
    part[i] = value;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if i < half {
            part[i] = max(part[i], part[i + half]);
        }
        workgroupBarrier();
    }
    let top = part[0];
    workgroupBarrier();
    return top;
}

// out = w · (x − mean) / √(variance + ε) + bias, a row a group.
@compute @workgroup_size(64)
fn normalise(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let n = p.columns;
    let at = group.x * p.stride;
    var sum = 0.0;
    for (var c = i; c < n; c += 64u) {
        sum += x[at + c];
    }
    let mean = total(i, sum) / f32(n);
    sum = 0.0;
    for (var c = i; c < n; c += 64u) {
        let d = x[at + c] - mean;
        sum = fma(d, d, sum);
    }
    let factor = 1.0 / sqrt(total(i, sum) / f32(n) + p.real);
    for (var c = i; c < n; c += 64u) {
        out[group.x * n + c] = (x[at + c] - mean) * factor * w[c] + bias[c];
    }
}

var<workgroup> scores: array<f32, 3584>;
var<workgroup> query: array<f32, 256>;

// softmax(q·Kᵀ·real)·V for one query (x), head (y) and image (z) a group. x: [b, t, 3d], out: [b, t, d].
@compute @workgroup_size(64)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let d = p.columns;
    let e = p.inner;
    let image = group.z * p.tokens * 3u * d;
    let head = group.y * e;
    for (var c = i; c < e; c += 64u) {
        query[c] = x[image + group.x * 3u * d + head + c] * p.real;
    }
    workgroupBarrier();
    var top = -3.0e38;
    for (var j = i; j < p.tokens; j += 64u) {
        let key = image + j * 3u * d + d + head;
        var score = 0.0;
        for (var c = 0u; c < e; c += 1u) {
            score = fma(query[c], x[key + c], score);
        }
        scores[j] = score;
        top = max(top, score);
    }
    top = largest(i, top);
    var sum = 0.0;
    for (var j = i; j < p.tokens; j += 64u) {
        let v = exp(scores[j] - top);
        scores[j] = v;
        sum += v;
    }
    sum = total(i, sum);
    for (var c = i; c < e; c += 64u) {
        let value = image + 2u * d + head + c;
        var mixed = 0.0;
        for (var j = 0u; j < p.tokens; j += 1u) {
            mixed = fma(scores[j], x[value + j * 3u * d], mixed);
        }
        out[(group.z * p.tokens + group.x) * d + head + c] = mixed / sum;
    }
}

// Tokens from embedded patches x: [b, n, d], the tokens before them w: [first, d] and positions bias: [n, d]. A token a group.
@compute @workgroup_size(64)
fn assemble(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let d = p.columns;
    let image = group.x / p.tokens;
    let token = group.x % p.tokens;
    for (var c = i; c < d; c += 64u) {
        var v = 0.0;
        if token < p.first {
            v = w[token * d + c];
        } else {
            let patch_at = token - p.first;
            v = x[(image * (p.tokens - p.first) + patch_at) * d + c] + bias[patch_at * d + c];
        }
        out[group.x * d + c] = v;
    }
}

// out = SiLU(first half) · second half, a row a group. x: [rows, 2·columns].
@compute @workgroup_size(64)
fn gate(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let f = p.columns;
    for (var c = i; c < f; c += 64u) {
        let a = x[group.x * 2u * f + c];
        out[group.x * f + c] = a / (1.0 + exp(-a)) * x[group.x * 2u * f + f + c];
    }
}
