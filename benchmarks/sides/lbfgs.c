/* The practical limit of one core: L-BFGS on a Lennard-Jones cluster, ATOMS fixed when compiled.
 *
 * The same iteration as thalweg.search.LBFGS (one evaluation each, capped step, a rejected step is
 * tried again at a quarter of its length), so that evaluations per quench agree and rates compare
 * kernels. Coordinates are three padded arrays. Eight atoms i fill a vector and meet every atom j:
 * twice the pairs, but forces stay in registers; measured, it beats the half loop over j < i.
 */
#include <math.h>
#include <string.h>

#define LANE 8
#define PAD (((ATOMS) + LANE - 1) / LANE * LANE)
#define SIZE (3 * PAD)
#define MEMORY 4
#define MOST_REJECTIONS 30

typedef double vec[SIZE] __attribute__((aligned(64)));

typedef double lanes __attribute__((vector_size(8 * LANE)));

/* Added to a squared distance: far away where i is j, or not an atom. */
static double beyond[PAD / LANE][ATOMS][LANE] __attribute__((aligned(64)));

static void prepare(void) {
    for (int i = 0; i < PAD; i++)
        for (int j = 0; j < ATOMS; j++)
            beyond[i / LANE][j][i % LANE] = i == j || i >= ATOMS ? 1e30 : 0.0;
}

static double energy_gradient(const double *restrict x, double *restrict g) {
    const double *y = x + PAD, *z = x + 2 * PAD;
    lanes energy = {0.0};
    for (int block = 0; block < PAD / LANE; block++) {
        int i = block * LANE;
        lanes xi = *(const lanes *)(x + i), yi = *(const lanes *)(y + i);
        lanes zi = *(const lanes *)(z + i), fx = {0.0}, fy = {0.0}, fz = {0.0};
        for (int j = 0; j < ATOMS; j++) {
            lanes dx = xi - x[j], dy = yi - y[j], dz = zi - z[j];
            lanes w = 1.0 / (dx * dx + dy * dy + dz * dz + *(const lanes *)beyond[block][j]);
            lanes w3 = w * w * w, force = w * w3 * (24.0 - 48.0 * w3);
            energy += w3 * (w3 - 1.0);
            fx += force * dx;
            fy += force * dy;
            fz += force * dz;
        }
        *(lanes *)(g + i) = fx;
        *(lanes *)(g + PAD + i) = fy;
        *(lanes *)(g + 2 * PAD + i) = fz;
    }
    double sum = 0.0;
    for (int lane = 0; lane < LANE; lane++) sum += energy[lane];
    return 2.0 * sum;
}

static double dot(const double *restrict a, const double *restrict b) {
    double sum = 0.0;
    for (int k = 0; k < SIZE; k++) sum += a[k] * b[k];
    return sum;
}

typedef struct {
    vec s[MEMORY], y[MEMORY];
    double rho[MEMORY], scale;
    int head;
} pairs;

static void push(pairs *p, const double *trial, const double *x, const double *new_g,
                 const double *g) {
    p->head = (p->head + 1) % MEMORY;
    double *s = p->s[p->head], *y = p->y[p->head];
    for (int k = 0; k < SIZE; k++) {
        s[k] = trial[k] - x[k];
        y[k] = new_g[k] - g[k];
    }
    double curvature = dot(s, y), length = dot(y, y);
    if (curvature > 1e-10 * length) {
        p->rho[p->head] = 1.0 / curvature;
        p->scale = curvature / length;
    } else {
        p->rho[p->head] = 0.0;
    }
}

static void descent(const pairs *p, const double *restrict g, double *restrict d) {
    double alpha[MEMORY];
    for (int k = 0; k < SIZE; k++) d[k] = g[k];
    for (int age = 0; age < MEMORY; age++) {
        int m = (p->head - age + MEMORY) % MEMORY;
        if (p->rho[m] == 0.0) continue;
        alpha[m] = p->rho[m] * dot(p->s[m], d);
        const double *y = p->y[m], a = alpha[m];
        for (int k = 0; k < SIZE; k++) d[k] -= a * y[k];
    }
    for (int k = 0; k < SIZE; k++) d[k] *= p->scale;
    for (int age = MEMORY - 1; age >= 0; age--) {
        int m = (p->head - age + MEMORY) % MEMORY;
        if (p->rho[m] == 0.0) continue;
        const double *s = p->s[m], b = alpha[m] - p->rho[m] * dot(p->y[m], d);
        for (int k = 0; k < SIZE; k++) d[k] += b * s[k];
    }
    for (int k = 0; k < SIZE; k++) d[k] = -d[k];
}

static long quench(double *start, double tol, double max_step, double extent, double *value_out) {
    static pairs p;
    static vec x, g, trial, new_g, direction;
    double value = INFINITY, shrink = 1.0, cap = max_step * sqrt(3.0 * ATOMS);
    int rejections = 0, started = 0;
    memset(&p, 0, sizeof p);
    p.scale = 0.01;
    memcpy(x, start, sizeof(vec));
    memcpy(trial, start, sizeof(vec));
    for (long evaluations = 1; evaluations <= 10000; evaluations++) {
        double now = energy_gradient(trial, new_g);
        int accept = !started || now <= value + 1e-10;
        if (accept) {
            if (started) push(&p, trial, x, new_g, g);
            memcpy(x, trial, sizeof(vec));
            memcpy(g, new_g, sizeof(vec));
            value = now;
            rejections = 0;
            shrink = 1.0;
            if (dot(g, g) < tol * tol * 3.0 * ATOMS) {
                *value_out = value;
                return evaluations;
            }
            double far = 0.0;
            for (int k = 0; k < SIZE; k++) far = fabs(x[k]) > far ? fabs(x[k]) : far;
            if (far > extent) return -evaluations;
        } else {
            if (++rejections >= MOST_REJECTIONS) return -evaluations;
            shrink *= 0.25;
            if (rejections == 2) memset(p.rho, 0, sizeof p.rho);
        }
        if (accept || rejections == 2) {
            descent(&p, g, direction);
            double turn = dot(direction, g) > 0.0 ? -1.0 : 1.0;
            double norm = sqrt(dot(direction, direction));
            double factor = turn * (norm > cap ? cap / norm : 1.0);
            for (int k = 0; k < SIZE; k++) direction[k] *= factor;
        }
        for (int k = 0; k < SIZE; k++) trial[k] = x[k] + shrink * direction[k];
        started = 1;
    }
    return -10000;
}

static void padded(const double *flat, double *out) {
    memset(out, 0, sizeof(vec));
    for (int i = 0; i < ATOMS; i++)
        for (int c = 0; c < 3; c++) out[c * PAD + i] = flat[3 * i + c];
}

/* Quench `count` rows; the number of evaluations of each (negative: failed) and its energy. */
void quench_rows(const double *rows, long count, double tol, double max_step, double extent,
                 double *values, long *evaluations) {
    static vec x;
    prepare();
    for (long row = 0; row < count; row++) {
        padded(rows + 3 * ATOMS * row, x);
        values[row] = NAN;
        evaluations[row] = quench(x, tol, max_step, extent, values + row);
    }
}

/* Sum of energies, and of one gradient component, over `count` rows. */
double evaluate_rows(const double *rows, long count, double *slope) {
    static vec x, g;
    double sum = 0.0;
    prepare();
    for (long row = 0; row < count; row++) {
        padded(rows + 3 * ATOMS * row, x);
        sum += energy_gradient(x, g);
        *slope += g[0];
    }
    return sum;
}
