/**
 * The arithmetic of the forward pass on arrays in {@linkplain io.mambaspark.engine.kernel.Panels
 * column panels}. {@link io.mambaspark.engine.kernel.Kernels} is the entry point. {@code
 * ScalarKernels} is the reference implementation. The classes named {@code Vector…} implement the
 * same on the Vector API, and only they import it.
 */
package io.mambaspark.engine.kernel;
