#!/usr/bin/env python3
"""onnxruntime peer for CLS extraction: builds a ViT as an ONNX graph (no torch needed,
random weights) and times it on the CPU.

  vit_onnx.py --build vit.onnx                       # write the graph only
  vit_onnx.py --model vit.onnx --batch 8 --reps 5 --threads 2 --json
  vit_onnx.py --serve --weights w.safetensors --pixels p.f32 --batch 8   # a pass when asked
"""
import argparse, json, os, resource, statistics, sys, time
import numpy as np

p = argparse.ArgumentParser()
p.add_argument("--build")
p.add_argument("--model")
p.add_argument("--batch", type=int, default=8)
p.add_argument("--reps", type=int, default=5)
p.add_argument("--warmup", type=int, default=1)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--image", type=int, default=224)
p.add_argument("--patch", type=int, default=16)
p.add_argument("--dim", type=int, default=768)
p.add_argument("--depth", type=int, default=12)
p.add_argument("--heads", type=int, default=12)
p.add_argument("--opset", type=int, default=20, help="20 has a Gelu op; 17 decomposes it to Erf")
p.add_argument("--json", action="store_true")
p.add_argument("--weights", help="safetensors with timm's names, F32; without it weights are random")
p.add_argument("--pixels", help="raw little-endian f32 [batch, 3, image, image]; without it pixels are random")
p.add_argument("--serve", action="store_true",
               help="say ready, then answer each line on stdin: run -> {wall, cpu} seconds of a pass, tokens -> CLS tokens")
a = p.parse_args()


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = np.frombuffer(f.read(), np.uint8)
    header.pop("__metadata__", None)
    return {name: data[slice(*t["data_offsets"])].view("<f4").reshape(t["shape"])
            for name, t in header.items()}


def timm_weights(path, depth, dim):
    """The checkpoint under the names of build()'s initializers, matrices [in, out]."""
    t = read_safetensors(path)
    w = {"patch.w": t["patch_embed.proj.weight"], "patch.b": t["patch_embed.proj.bias"],
         "cls": t["cls_token"], "pos": t["pos_embed"], "norm.g": t["norm.weight"], "norm.b": t["norm.bias"]}
    for i in range(depth):
        b = f"blocks.{i}."
        for n in "12":
            w[f"{i}.n{n}.g"], w[f"{i}.n{n}.b"] = t[f"{b}norm{n}.weight"], t[f"{b}norm{n}.bias"]
        for j, c in enumerate("qkv"):
            rows = slice(j * dim, (j + 1) * dim)
            w[f"{i}.{c}.w"] = t[f"{b}attn.qkv.weight"][rows].T
            w[f"{i}.{c}.b"] = t[f"{b}attn.qkv.bias"][rows]
        for ours, theirs in (("proj", "attn.proj"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")):
            w[f"{i}.{ours}.w"], w[f"{i}.{ours}.b"] = t[f"{b}{theirs}.weight"].T, t[f"{b}{theirs}.bias"]
    return {name: np.ascontiguousarray(v) for name, v in w.items()}


def build(path):
    import onnx
    from onnx import TensorProto as T, helper as h, numpy_helper as nh
    rng = np.random.default_rng(0)
    nodes, inits = [], []
    given = timm_weights(a.weights, a.depth, a.dim) if a.weights else {}
    d, heads = a.dim, a.heads
    hd, n = d // heads, (a.image // a.patch) ** 2

    def const(name, v):
        v = given.get(name, v)
        inits.append(nh.from_array(np.asarray(v), name))
        return name

    def w(name, *shape, s=None):
        s = s or 0.6 / shape[0] ** 0.5
        return const(name, (rng.standard_normal(shape) * s).astype(np.float32))

    k = iter(range(10 ** 6))

    def op(kind, *ins, **kw):
        o = f"t{next(k)}"
        nodes.append(h.make_node(kind, list(ins), [o], **kw))
        return o

    def ln(x, i):
        g = const(f"{i}.g", np.ones(d, np.float32))
        return op("LayerNormalization", x, g, const(f"{i}.b", np.zeros(d, np.float32)),
                  axis=-1, epsilon=1e-6)

    def lin(x, i, ci, co):
        return op("Add", op("MatMul", x, w(f"{i}.w", ci, co)), w(f"{i}.b", co, s=0.01))

    def gelu(x):
        if a.opset >= 20:
            return op("Gelu", x)
        e = op("Erf", op("Div", x, const_once("sqrt2", np.float32(2 ** 0.5))))
        return op("Mul", op("Mul", x, op("Add", e, const_once("one", np.float32(1)))),
                  const_once("half", np.float32(0.5)))

    seen = set()

    def const_once(name, v):
        if name not in seen:
            seen.add(name)
            const(name, v)
        return name

    x = op("Conv", "pixels", w("patch.w", d, 3, a.patch, a.patch, s=0.03),
           w("patch.b", d, s=0.01), kernel_shape=[a.patch] * 2, strides=[a.patch] * 2)
    x = op("Transpose", op("Reshape", x, const("s0", np.array([0, d, n], np.int64))), perm=[0, 2, 1])
    b = op("Shape", x, start=0, end=1)
    cls = op("Expand", w("cls", 1, 1, d, s=0.02),
             op("Concat", b, const("s1", np.array([1, d], np.int64)), axis=0))
    x = op("Add", op("Concat", cls, x, axis=1), w("pos", 1, n + 1, d, s=0.02))
    const("split", np.array([0, n + 1, heads, hd], np.int64))
    const("merge", np.array([0, n + 1, d], np.int64))
    const("scale", np.float32(hd ** -0.5))
    for i in range(a.depth):
        y = ln(x, f"{i}.n1")
        q, kk, v = (op("Reshape", lin(y, f"{i}.{c}", d, d), "split") for c in "qkv")
        q, v = (op("Transpose", t, perm=[0, 2, 1, 3]) for t in (q, v))
        kk = op("Transpose", kk, perm=[0, 2, 3, 1])
        s = op("Softmax", op("Mul", op("MatMul", q, kk), "scale"), axis=-1)
        o = op("Reshape", op("Transpose", op("MatMul", s, v), perm=[0, 2, 1, 3]), "merge")
        x = op("Add", x, lin(o, f"{i}.proj", d, d))
        y = gelu(lin(ln(x, f"{i}.n2"), f"{i}.fc1", d, 4 * d))
        x = op("Add", x, lin(y, f"{i}.fc2", 4 * d, d))
    x = ln(x, "norm")
    nodes.append(h.make_node("Gather", [x, const("zero", np.int64(0))], ["cls_token"], axis=1))
    g = h.make_graph(nodes, "vit", [h.make_tensor_value_info("pixels", T.FLOAT, ["b", 3, a.image, a.image])],
                     [h.make_tensor_value_info("cls_token", T.FLOAT, ["b", d])], inits)
    m = h.make_model(g, opset_imports=[h.make_opsetid("", a.opset)], ir_version=9)
    onnx.checker.check_model(m)
    onnx.save(m, path)


path = a.model or a.build or (a.weights + ".onnx" if a.weights else "vit.onnx")
if a.build or a.weights or not os.path.exists(path):
    build(path)
if a.build:
    sys.exit()
import onnxruntime as ort
so = ort.SessionOptions()
so.intra_op_num_threads, so.inter_op_num_threads = a.threads, 1
so.add_session_config_entry("session.intra_op.allow_spinning", "0")
s = ort.InferenceSession(path, so, providers=["CPUExecutionProvider"])
shape = (a.batch, 3, a.image, a.image)
if a.pixels:
    x = np.fromfile(a.pixels, "<f4").reshape(shape)
else:
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
if a.serve:
    s.run(None, {"pixels": x})
    print("ready", flush=True)
    for line in sys.stdin:
        t, c = time.perf_counter(), time.process_time()
        y = s.run(None, {"pixels": x})[0]
        took = dict(wall=time.perf_counter() - t, cpu=time.process_time() - c)
        print(json.dumps(y.ravel().tolist() if line.strip() == "tokens" else took), flush=True)
    sys.exit()
wall, cpu = [], []
for i in range(a.warmup + a.reps):
    t, c = time.perf_counter(), time.process_time()
    s.run(None, {"pixels": x})
    if i >= a.warmup:
        wall.append(time.perf_counter() - t)
        cpu.append(time.process_time() - c)
r = dict(peer="onnxruntime", version=ort.__version__, task="forward", batch=a.batch, threads=a.threads,
         model=f"vit d{a.dim} L{a.depth} {a.image}/{a.patch} opset{a.opset}", reps=a.reps,
         median_s=round(statistics.median(wall), 4), best_s=round(min(wall), 4),
         cpu_s=round(statistics.median(cpu), 4), cpu_best_s=round(min(cpu), 4),
         images_per_s=round(a.batch / statistics.median(wall), 3),
         best_images_per_s=round(a.batch / min(wall), 3),
         peak_rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(json.dumps(r) if a.json else "\n".join(f"{k:18} {v}" for k, v in r.items()))
