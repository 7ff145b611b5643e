// Trains one network of the benchmark mnist1d on one core.
//
//     g++ -O3 -march=native -ffast-math -fno-ivopts -std=c++17 -shared -fPIC trainer.cpp -o trainer.so
//
// (GCC 12 without -fno-ivopts, or with more loops unrolled, spills the registers that the sums are held in.)
//
// Tensors are [channel][position][sample], 64 samples = 4 vectors of 16 floats. Convolutions keep 4 output channels of
// 64 samples in registers; their weights are stored [out / 4][in / 4][tap][4 out][4 in], so that a block's gradient is
// one vector. What a convolution reads has a zero position at either end.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

typedef float V __attribute__((vector_size(64)));
typedef int32_t I __attribute__((vector_size(64)));
constexpr int BATCH = 64, LANES = 16, Q = BATCH / LANES, CLASSES = 10, INPUT = 40, EDGES = 6, NODES = 4;
constexpr int SOURCE[EDGES] = {0, 0, 1, 0, 1, 2}, TARGET[EDGES] = {1, 2, 2, 3, 3, 3};
constexpr float EPS = 1e-5f, MOMENTUM = 0.1f;
enum Op : int8_t { NONE, SKIP, CONV1, CONV3, POOL };

static inline float total(V v) {
  float sum = 0;
  for (int i = 0; i < LANES; i++) sum += v[i];
  return sum;
}

// lane k of the answer is the sum of a[k]
static inline V totals(const V* a) {
  V b[8], c[4], d[2];
  const I b0 = {0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23}, b1 = b0 + 8;
  const I c0 = {0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27}, c1 = c0 + 4;
  const I d0 = {0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29}, d1 = d0 + 2;
  const I e0 = {0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30}, e1 = e0 + 1;
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) b[i] = __builtin_shuffle(a[i], a[i + 8], b0) + __builtin_shuffle(a[i], a[i + 8], b1);
  // lanes 0-7 of b[i] are of a[i], 8-15 of a[i + 8]; from here on groups of lanes are halved
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) c[i] = __builtin_shuffle(b[i], b[i + 4], c0) + __builtin_shuffle(b[i], b[i + 4], c1);
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) d[i] = __builtin_shuffle(c[i], c[i + 2], d0) + __builtin_shuffle(c[i], c[i + 2], d1);
  return __builtin_shuffle(d[0], d[1], e0) + __builtin_shuffle(d[0], d[1], e1);
}

// ---- parameters: one flat array, its gradient, its momentum, and the running statistics of batch norms -------------

struct Parameters {
  std::vector<V> memory[3];  // vectors, so that blocks of 16 weights are aligned
  float *value, *gradient, *velocity;
  int count = 0;

  void allocate() {
    for (auto& m : memory) m.assign((count + LANES - 1) / LANES, V{});
    value = (float*)memory[0].data(), gradient = (float*)memory[1].data(), velocity = (float*)memory[2].data();
  }
  int take(int n) {
    int start = count;
    count += (n + LANES - 1) / LANES * LANES;
    return start;
  }
  // stochastic gradient descent with Nesterov's momentum, weight decay on everything, as torch.optim.SGD
  void step(float rate) {
    V *w = memory[0].data(), *g = memory[1].data(), *v = memory[2].data();
    for (int i = 0; i < count / LANES; i++) {
      V d = g[i] + 5e-4f * w[i];
      v[i] = 0.9f * v[i] + d;
      w[i] -= rate * (d + 0.9f * v[i]);
    }
  }
};

// where a group of weights stands here and in the caller's order; in, out, taps: of a convolution in blocks, else 0
struct Group {
  int start, size, in, out, taps;
  int place(int k) const {
    if (!taps) return start + k;
    int o = k / (in * taps), i = k / taps % in, t = k % taps;
    return start + ((o / 4 * (in / 4) + i / 4) * taps + t) * 16 + o % 4 * 4 + i % 4;
  }
};

struct Model {
  Parameters p;
  std::vector<Group> groups;
  int add(int size, int in = 0, int out = 0, int taps = 0) {
    int start = p.take(size);
    groups.push_back({start, size, in, out, taps});
    return start;
  }
};

// ---- batch norm ---------------------------------------------------------------------------------------------------

template <int C, int L>
struct BatchNorm {
  static constexpr int N = L * Q;
  int gamma, beta;
  float mean[C], inverse[C], running_mean[C], running_var[C];
  V y[C * N];  // what is normalised

  void declare(Model& m) {
    gamma = m.add(C), beta = m.add(C);
    for (int c = 0; c < C; c++) running_mean[c] = 0, running_var[c] = 1;
  }
  // the affine map of channel c, from the batch or from the running statistics
  void map(const Parameters& p, int c, bool training, float& scale, float& shift) {
    if (training) {
      const V* a = y + c * N;
      V s[Q] = {}, v[Q] = {};
      for (int l = 0; l < L; l++)
        for (int q = 0; q < Q; q++) s[q] += a[l * Q + q];
      float m = total(s[0] + s[1] + s[2] + s[3]) / (L * BATCH);
      for (int l = 0; l < L; l++)
        for (int q = 0; q < Q; q++) {
          V d = a[l * Q + q] - m;
          v[q] += d * d;
        }
      float sum = total(v[0] + v[1] + v[2] + v[3]);
      mean[c] = m, inverse[c] = 1 / std::sqrt(sum / (L * BATCH) + EPS);
      running_mean[c] += MOMENTUM * (m - running_mean[c]);
      running_var[c] += MOMENTUM * (sum / (L * BATCH - 1) - running_var[c]);
      scale = p.value[gamma + c] * inverse[c], shift = p.value[beta + c] - m * scale;
    } else {
      scale = p.value[gamma + c] / std::sqrt(running_var[c] + EPS);
      shift = p.value[beta + c] - running_mean[c] * scale;
    }
  }
  // gradient of channel c: `g` [L] of the output, `d` [L] of what was normalised
  void backward(Parameters& p, int c, const V* g, V* d) {
    const V* a = y + c * N;
    V s[Q] = {}, t[Q] = {};
    const float m = mean[c], inv = inverse[c];
    for (int l = 0; l < L; l++)
      for (int q = 0; q < Q; q++) {
        s[q] += g[l * Q + q];
        t[q] += g[l * Q + q] * (a[l * Q + q] - m);
      }
    float sum = total(s[0] + s[1] + s[2] + s[3]), along = total(t[0] + t[1] + t[2] + t[3]) * inv;
    p.gradient[beta + c] = sum, p.gradient[gamma + c] = along;
    const float k = p.value[gamma + c] * inv, slope = -k * along * inv / (L * BATCH);
    const float shift = -k * sum / (L * BATCH) - slope * m;
    for (int i = 0; i < N; i++) d[i] = k * g[i] + slope * a[i] + shift;
  }
};

// ---- convolution of K taps, then batch norm; the input is rectified by the caller -----------------------------------

template <int C, int L>
struct Padded {  // [channel][1 + L + 1][sample], both ends stay zero
  static constexpr int ROW = (L + 2) * Q;
  V a[C * ROW] = {};
  V* channel(int c) { return a + c * ROW + Q; }
};

template <int CI, int CO, int L>
struct Convolution {
  int taps = 0, weight;
  BatchNorm<CO, L> norm;

  void declare(Model& m, int k) {
    taps = k, weight = m.add(CI * CO * k, CI, CO, k);
    norm.declare(m);
  }
  // h[CO][L] += norm(convolution(r))
  void forward(const Parameters& p, Padded<CI, L>& r, V* h, bool training) {
    taps == 3 ? run<3>(p, r, h, training) : run<1>(p, r, h, training);
  }
  // g[CO][L]: gradient of what was added; `dr` of the input grows; `dy` is room
  void backward(Parameters& p, Padded<CI, L>& r, const V* g, V* dr, Padded<CO, L>& dy) {
    for (int c = 0; c < CO; c++) norm.backward(p, c, g + c * L * Q, dy.channel(c));
    if (taps == 3) of_weights<3>(p, r, dy), of_input<3>(p, dr, dy);
    else of_weights<1>(p, r, dy), of_input<1>(p, dr, dy);
  }

 private:
  template <int K>
  void run(const Parameters& p, Padded<CI, L>& r, V* h, bool training) {
    for (int o = 0; o < CO; o += 4) {
      const float* w = p.value + weight + o / 4 * (CI / 4) * K * 16;
      for (int l = 0; l < L; l++) {
        V sum[4][Q] = {};
        for (int i = 0; i < CI; i += 4)
#pragma GCC unroll 1
          for (int j = 0; j < 4; j++)
#pragma GCC unroll 3
            for (int k = 0; k < K; k++) {
              const V* x = r.channel(i + j) + (l + k - K / 2) * Q;
              const float* f = w + (i / 4 * K + k) * 16 + j;
#pragma GCC unroll 4
              for (int c = 0; c < 4; c++)
#pragma GCC unroll 4
                for (int q = 0; q < Q; q++) sum[c][q] += f[c * 4] * x[q];
            }
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
#pragma GCC unroll 4
          for (int q = 0; q < Q; q++) norm.y[((o + c) * L + l) * Q + q] = sum[c][q];
      }
      for (int c = o; c < o + 4; c++) {
        float scale, shift;
        norm.map(p, c, training, scale, shift);
        const V* y = norm.y + c * L * Q;
        for (int n = 0; n < L * Q; n++) h[c * L * Q + n] += y[n] * scale + shift;
      }
    }
  }
  template <int K>
  void of_input(const Parameters& p, V* dr, Padded<CO, L>& dy) {
    for (int i = 0; i < CI; i += 4)
      for (int l = 0; l < L; l++) {
        V sum[4][Q];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
#pragma GCC unroll 4
          for (int q = 0; q < Q; q++) sum[j][q] = dr[((i + j) * L + l) * Q + q];
        for (int o = 0; o < CO; o += 4)
#pragma GCC unroll 1
          for (int c = 0; c < 4; c++)
#pragma GCC unroll 3
            for (int k = 0; k < K; k++) {
              const V* g = dy.channel(o + c) + (l - k + K / 2) * Q;
              const float* f = p.value + weight + ((o / 4 * (CI / 4) + i / 4) * K + k) * 16 + c * 4;
#pragma GCC unroll 4
              for (int j = 0; j < 4; j++)
#pragma GCC unroll 4
                for (int q = 0; q < Q; q++) sum[j][q] += f[j] * g[q];
            }
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
#pragma GCC unroll 4
          for (int q = 0; q < Q; q++) dr[((i + j) * L + l) * Q + q] = sum[j][q];
      }
  }
  template <int K>
  void of_weights(Parameters& p, Padded<CI, L>& r, Padded<CO, L>& dy) {
    for (int o = 0; o < CO; o += 4)
      for (int i = 0; i < CI; i += 4)
        for (int k = 0; k < K; k++) {
          V sum[16] = {};
          const V *x = r.channel(i) + (k - K / 2) * Q, *g = dy.channel(o);
          for (int n = 0; n < L * Q; n++)
#pragma GCC unroll 4
            for (int c = 0; c < 4; c++)
#pragma GCC unroll 4
              for (int j = 0; j < 4; j++) sum[c * 4 + j] += g[c * dy.ROW + n] * x[j * r.ROW + n];
          *(V*)(p.gradient + weight + ((o / 4 * (CI / 4) + i / 4) * K + k) * 16) = totals(sum);
        }
  }
};

// ---- the cell -------------------------------------------------------------------------------------------------------

template <int C, int L>
struct Cell {
  static constexpr int N = C * L * Q;
  const int8_t* ops;
  V h[NODES][N], dh[NODES][N], dr[N];
  Padded<C, L> r, dy;
  Convolution<C, C, L> convolution[EDGES];

  void declare(Model& m, const int8_t* edge_ops) {
    ops = edge_ops;
    for (int e = 0; e < EDGES; e++)
      if (is_convolution(e)) convolution[e].declare(m, ops[e] == CONV3 ? 3 : 1);
  }
  bool is_convolution(int e) const { return ops[e] == CONV1 || ops[e] == CONV3; }
  bool has_convolution(int node) const {
    for (int e = 0; e < EDGES; e++)
      if (SOURCE[e] == node && is_convolution(e)) return true;
    return false;
  }
  void rectify(int node) {
    for (int c = 0; c < C; c++)
      for (int n = 0; n < L * Q; n++) {
        V x = h[node][c * L * Q + n];
        r.channel(c)[n] = x > 0 ? x : V{};
      }
  }
  // from h[0] to h[3]
  void forward(const Parameters& p, bool training) {
    memset(h[1], 0, sizeof(h) - sizeof(h[0]));
    for (int node = 0; node < NODES - 1; node++) {
      if (has_convolution(node)) rectify(node);
      for (int e = 0; e < EDGES; e++) {
        if (SOURCE[e] != node) continue;
        V* to = h[TARGET[e]];
        if (is_convolution(e)) convolution[e].forward(p, r, to, training);
        if (ops[e] == SKIP)
          for (int n = 0; n < N; n++) to[n] += h[node][n];
        if (ops[e] == POOL) pool(h[node], to, false);
      }
    }
  }
  // from dh[3] to dh[0]
  void backward(Parameters& p) {
    memset(dh[0], 0, sizeof(dh) - sizeof(dh[0]));
    for (int node = NODES - 2; node >= 0; node--) {
      bool rectified = has_convolution(node);
      if (rectified) rectify(node), memset(dr, 0, sizeof(dr));
      for (int e = 0; e < EDGES; e++) {
        if (SOURCE[e] != node) continue;
        const V* g = dh[TARGET[e]];
        if (is_convolution(e)) convolution[e].backward(p, r, g, dr, dy);
        if (ops[e] == SKIP)
          for (int n = 0; n < N; n++) dh[node][n] += g[n];
        if (ops[e] == POOL) pool(g, dh[node], true);
      }
      if (rectified)
        for (int n = 0; n < N; n++) dh[node][n] += h[node][n] > 0 ? dr[n] : V{};
    }
  }
  // to += mean of the three positions around each; the two ends have two. Transposed: the gradient of that.
  static void pool(const V* from, V* to, bool transposed) {
    const float inner = 1 / 3.f, end = 1 / 2.f;
    for (int c = 0; c < C; c++, from += L * Q, to += L * Q)
      for (int l = 0; l < L; l++)
        for (int q = 0; q < Q; q++) {
          V sum{};
          for (int s = l - 1; s <= l + 1; s++) {
            if (s < 0 || s >= L) continue;
            int whose = transposed ? s : l;
            sum += (whose == 0 || whose == L - 1 ? end : inner) * from[s * Q + q];
          }
          to[l * Q + q] += sum;
        }
  }
};

// halves the positions by means of two, rectifies, 1-tap convolution, batch norm
template <int CI, int CO, int L>
struct Reduction {
  Padded<CI, L> r;
  Padded<CO, L> dy;
  V dr[CI * L * Q];
  Convolution<CI, CO, L> convolution;

  void declare(Model& m) { convolution.declare(m, 1); }
  void forward(const Parameters& p, const V* from, V* to, bool training) {
    for (int c = 0; c < CI; c++)
      for (int l = 0; l < L; l++)
        for (int q = 0; q < Q; q++) {
          V x = 0.5f * (from[(c * L + l) * 2 * Q + q] + from[(c * L + l) * 2 * Q + Q + q]);
          r.channel(c)[l * Q + q] = x > 0 ? x : V{};
        }
    memset((void*)to, 0, sizeof(V) * CO * L * Q);
    convolution.forward(p, r, to, training);
  }
  void backward(Parameters& p, const V* g, V* from) {
    memset(dr, 0, sizeof(dr));
    convolution.backward(p, r, g, dr, dy);
    for (int c = 0; c < CI; c++)
      for (int l = 0; l < L; l++)
        for (int q = 0; q < Q; q++) {
          V d = r.channel(c)[l * Q + q] > 0 ? 0.5f * dr[(c * L + l) * Q + q] : V{};
          from[(c * L + l) * 2 * Q + q] = d, from[(c * L + l) * 2 * Q + Q + q] = d;
        }
  }
};

// ---- the network ----------------------------------------------------------------------------------------------------

struct Network : Model {
  static constexpr int C0 = 8, C = 16, L0 = 20, L1 = 10, L2 = 5;
  V x[(INPUT + 2) * Q] = {};
  uint8_t label[BATCH];
  int stem, head, bias;
  BatchNorm<C0, INPUT> stem_norm;
  V stem_gradient[INPUT * Q];
  Cell<C0, L0> cell0;
  Reduction<C0, C, L1> reduction0;
  Cell<C, L1> cell1;
  Reduction<C, C, L2> reduction1;
  Cell<C, L2> cell2;
  BatchNorm<C, L2> last_norm;
  V rectified[C * L2 * Q], feature[C][Q], score[CLASSES][Q];

  explicit Network(const int8_t* ops) {
    stem = add(C0 * 3);
    stem_norm.declare(*this);
    cell0.declare(*this, ops);
    reduction0.declare(*this);
    cell1.declare(*this, ops);
    reduction1.declare(*this);
    cell2.declare(*this, ops);
    last_norm.declare(*this);
    head = add(CLASSES * C), bias = add(CLASSES);
    p.allocate();
  }
  void load(const float* values) {
    for (const Group& g : groups)
      for (int k = 0; k < g.size; k++) p.value[g.place(k)] = *values++;
  }
  void store(const float* from, float* values) const {
    for (const Group& g : groups)
      for (int k = 0; k < g.size; k++) *values++ = from[g.place(k)];
  }
  void read(const float* signals, const uint8_t* labels, const int32_t* rows) {
    float* at = (float*)(x + Q);
    for (int b = 0; b < BATCH; b++) {
      const float* signal = signals + (size_t)rows[b] * INPUT;
      for (int l = 0; l < INPUT; l++) at[l * BATCH + b] = signal[l];
      label[b] = labels[rows[b]];
    }
  }
  void forward(bool training) {
    for (int c = 0; c < C0; c++) {
      const float* w = p.value + stem + c * 3;
      V* y = stem_norm.y + c * INPUT * Q;
      for (int n = 0; n < INPUT * Q; n++) y[n] = w[0] * x[n] + w[1] * x[n + Q] + w[2] * x[n + 2 * Q];
      float scale, shift;
      stem_norm.map(p, c, training, scale, shift);
      for (int l = 0; l < L0; l++)
        for (int q = 0; q < Q; q++)
          cell0.h[0][(c * L0 + l) * Q + q] = 0.5f * scale * (y[l * 2 * Q + q] + y[l * 2 * Q + Q + q]) + shift;
    }
    cell0.forward(p, training);
    reduction0.forward(p, cell0.h[3], cell1.h[0], training);
    cell1.forward(p, training);
    reduction1.forward(p, cell1.h[3], cell2.h[0], training);
    cell2.forward(p, training);
    memcpy((void*)last_norm.y, cell2.h[3], sizeof(last_norm.y));
    for (int c = 0; c < C; c++) {
      float scale, shift;
      last_norm.map(p, c, training, scale, shift);
      for (int q = 0; q < Q; q++) {
        V sum{};
        for (int l = 0; l < L2; l++) {
          V h = last_norm.y[(c * L2 + l) * Q + q] * scale + shift;
          h = h > 0 ? h : V{};
          rectified[(c * L2 + l) * Q + q] = h;
          sum += h;
        }
        feature[c][q] = sum / (float)L2;
      }
    }
    for (int k = 0; k < CLASSES; k++)
      for (int q = 0; q < Q; q++) {
        V sum = V{} + p.value[bias + k];
        for (int c = 0; c < C; c++) sum += p.value[head + k * C + c] * feature[c][q];
        score[k][q] = sum;
      }
  }
  // adds up hits and cross entropies of the first n samples; scores become gradients of the mean loss
  void judge(int n, int64_t& hits, double& loss) {
    float(*s)[BATCH] = (float(*)[BATCH])score;
    for (int b = 0; b < BATCH; b++) {
      int best = 0;
      for (int k = 1; k < CLASSES; k++)
        if (s[k][b] > s[best][b]) best = k;
      float top = s[best][b], of_label = s[label[b]][b], sum = 0, e[CLASSES];
      for (int k = 0; k < CLASSES; k++) sum += e[k] = std::exp(s[k][b] - top);
      for (int k = 0; k < CLASSES; k++) s[k][b] = (e[k] / sum - (k == label[b])) / BATCH;
      if (b < n) hits += best == label[b], loss += std::log(sum) + top - of_label;
    }
  }
  void backward() {
    V df[C][Q] = {};
    for (int k = 0; k < CLASSES; k++) {
      const V* g = score[k];
      p.gradient[bias + k] = total(g[0] + g[1] + g[2] + g[3]);
      for (int c = 0; c < C; c++) {
        const V* f = feature[c];
        p.gradient[head + k * C + c] = total(g[0] * f[0] + g[1] * f[1] + g[2] * f[2] + g[3] * f[3]);
        for (int q = 0; q < Q; q++) df[c][q] += p.value[head + k * C + c] * g[q];
      }
    }
    for (int c = 0; c < C; c++) {
      V g[L2 * Q];
      for (int n = 0; n < L2 * Q; n++) g[n] = rectified[c * L2 * Q + n] > 0 ? df[c][n % Q] / (float)L2 : V{};
      last_norm.backward(p, c, g, cell2.dh[3] + c * L2 * Q);
    }
    cell2.backward(p);
    reduction1.backward(p, cell2.dh[0], cell1.dh[3]);
    cell1.backward(p);
    reduction0.backward(p, cell1.dh[0], cell0.dh[3]);
    cell0.backward(p);
    for (int c = 0; c < C0; c++) {
      V g[INPUT * Q], sum[3][Q] = {};
      for (int n = 0; n < INPUT * Q; n++) g[n] = 0.5f * cell0.dh[0][(c * L0 + n / (2 * Q)) * Q + n % Q];
      stem_norm.backward(p, c, g, stem_gradient);
      for (int n = 0; n < INPUT * Q; n++)
        for (int k = 0; k < 3; k++) sum[k][n % Q] += stem_gradient[n] * x[n + k * Q];
      for (int k = 0; k < 3; k++) p.gradient[stem + c * 3 + k] = total(sum[k][0] + sum[k][1] + sum[k][2] + sum[k][3]);
    }
  }
  void evaluate(const float* signals, const uint8_t* labels, int n, int64_t& hits, double& loss) {
    hits = 0, loss = 0;
    for (int start = 0; start < n; start += BATCH) {
      int32_t rows[BATCH];
      for (int b = 0; b < BATCH; b++) rows[b] = start + b < n ? start + b : n - 1;
      read(signals, labels, rows);
      forward(false);
      judge(n - start, hits, loss);
    }
    loss /= n;
  }
};

static double cpu() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

// Number of parameters, in the order stem, cell, reduction, cell, reduction, cell, last norm, head.
extern "C" int parameters(const int8_t* ops) {
  auto net = std::make_unique<Network>(ops);
  int count = 0;
  for (const Group& g : net->groups) count += g.size;
  return count;
}

// Mean loss of one batch in training mode, its gradient into `gradient`.
extern "C" double gradient(const int8_t* ops, const float* values, const float* x, const uint8_t* y, float* gradient) {
  auto net = std::make_unique<Network>(ops);
  net->load(values);
  int32_t rows[BATCH];
  for (int b = 0; b < BATCH; b++) rows[b] = b;
  net->read(x, y, rows);
  net->forward(true);
  int64_t hits = 0;
  double loss = 0;
  net->judge(BATCH, hits, loss);
  net->backward();
  net->store(net->p.gradient, gradient);
  return loss / BATCH;
}

// Trains; samples [0, train), [train, train + val), then test. order: rows of the batches, epochs x steps x 64.
// hits, losses: [epochs + 1][2], of training and validation after each epoch, of the test set in the last row's
// second place. batch_losses: [epochs x steps]. Returns CPU seconds of training without evaluations.
extern "C" double train(const int8_t* ops, const float* values, const float* x, const uint8_t* y, int train, int val,
                        int test, const int32_t* order, const float* rates, int epochs, int steps, int64_t* hits,
                        double* losses, float* batch_losses) {
  auto net = std::make_unique<Network>(ops);
  net->load(values);
  double seconds = 0;
  for (int epoch = 0; epoch < epochs; epoch++, hits += 2, losses += 2) {
    double start = cpu();
    hits[0] = 0, losses[0] = 0;
    for (int s = 0; s < steps; s++, order += BATCH) {
      net->read(x, y, order);
      net->forward(true);
      double loss = 0;
      net->judge(BATCH, hits[0], loss);
      net->backward();
      net->p.step(*rates++);
      losses[0] += loss, *batch_losses++ = loss / BATCH;
    }
    losses[0] /= steps * BATCH;
    seconds += cpu() - start;
    net->evaluate(x + (size_t)train * INPUT, y + train, val, hits[1], losses[1]);
  }
  hits[0] = 0, losses[0] = 0;
  net->evaluate(x + (size_t)(train + val) * INPUT, y + train + val, test, hits[1], losses[1]);
  return seconds;
}
