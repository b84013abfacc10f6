#include <stdio.h>

static const struct { int code; const char *words; } known[] = {
  { 2, "CUDA_ERROR_OUT_OF_MEMORY" },
  { 214, "cudaErrorECCUncorrectable: uncorrectable ECC error encountered" },
  { 700, "cudaErrorIllegalAddress: an illegal memory access was encountered" },
};

void explain(void) {
  for (int i = 0; i < 3; i++) {
    printf("CUDA error: %s\n", known[i].words);
  }
  fprintf(stderr, "Segmentation fault (core dumped)\n");
  abort();
}
