#define CUDA_CHECK(call) do { \
    cudaError_t err = (call); \
    if (err != cudaSuccess) { \
        fprintf(stderr, "CUDA error: %s\n", cudaGetErrorString(err)); \
        abort(); \
    } } while (0)

__global__ void scale(float * x, float s, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    assert(i < n);
    x[i] *= s;
}
