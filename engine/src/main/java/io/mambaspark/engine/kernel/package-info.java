/**
 * The arithmetic of the forward pass on arrays in {@linkplain io.mambaspark.engine.kernel.Panels
 * column panels}. {@link io.mambaspark.engine.kernel.Kernels} is the entry; {@code ScalarKernels}
 * is the reference, and the classes called {@code Vector…} are the same on the Vector API, the only
 * ones that import it.
 */
package io.mambaspark.engine.kernel;
