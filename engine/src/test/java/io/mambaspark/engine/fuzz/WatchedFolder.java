package io.mambaspark.engine.fuzz;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.StandardOpenOption;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.Map;
import java.util.Set;

/**
 * A folder as a separate file system. The folder may be listed, and the folder and its direct files
 * may be read. Any other operation through its paths, on another file or on one of these, fails the
 * test, even a check whether a file exists.
 */
final class WatchedFolder extends FileSystem {
  private final Path folder;
  private final Provider provider = new Provider();

  private WatchedFolder(Path folder) {
    this.folder = folder;
  }

  /** Returns a path of the folder. Paths that are resolved against it are watched, too. */
  static Path watch(Path folder) {
    return new WatchedFolder(folder.toAbsolutePath().normalize()).watched();
  }

  private Path watched() {
    return watched(folder);
  }

  private Path watched(Path path) {
    return (Path)
        Proxy.newProxyInstance(
            Path.class.getClassLoader(),
            new Class<?>[] {Path.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("getFileSystem")) {
                return this;
              }
              Object[] plain = arguments == null ? new Object[0] : arguments.clone();
              for (int i = 0; i < plain.length; i++) {
                plain[i] = plain[i] instanceof Path other ? plain(other) : plain[i];
              }
              try {
                Object result = method.invoke(path, plain);
                return result instanceof Path other ? watched(other) : result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  /** Returns the path of the default file system that a watched path wraps. */
  private static Path plain(Path path) {
    return Proxy.isProxyClass(path.getClass()) ? Path.of(path.toString()) : path;
  }

  private Path allowed(Path path) {
    Path plain = plain(path);
    boolean inside = plain.equals(folder) || plain.isAbsolute() && folder.equals(plain.getParent());
    if (!inside || !plain.equals(plain.normalize())) {
      throw touched(path, "is accessed");
    }
    return plain;
  }

  private static AssertionError touched(Path path, String how) {
    return new AssertionError("a file " + how + ": " + path);
  }

  private static UnsupportedOperationException unexpected() {
    return new UnsupportedOperationException("reading a checkpoint must not need this operation");
  }

  private final class Provider extends FileSystemProvider {
    @Override
    public FileChannel newFileChannel(
        Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
        throws IOException {
      if (!options.equals(Set.of(StandardOpenOption.READ))) {
        throw touched(path, "is opened with " + options);
      }
      return FileChannel.open(allowed(path), options, attributes);
    }

    @Override
    public SeekableByteChannel newByteChannel(
        Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
        throws IOException {
      return newFileChannel(path, options, attributes);
    }

    @Override
    public void checkAccess(Path path, AccessMode... modes) throws IOException {
      Path plain = allowed(path);
      plain.getFileSystem().provider().checkAccess(plain, modes);
    }

    @Override
    public <A extends BasicFileAttributes> A readAttributes(
        Path path, Class<A> type, LinkOption... options) throws IOException {
      Path plain = allowed(path);
      return plain.getFileSystem().provider().readAttributes(plain, type, options);
    }

    @Override
    public String getScheme() {
      return "watched";
    }

    @Override
    public FileSystem newFileSystem(URI uri, Map<String, ?> environment) {
      throw unexpected();
    }

    @Override
    public FileSystem getFileSystem(URI uri) {
      throw unexpected();
    }

    @Override
    public Path getPath(URI uri) {
      throw unexpected();
    }

    @Override
    public DirectoryStream<Path> newDirectoryStream(
        Path path, DirectoryStream.Filter<? super Path> filter) throws IOException {
      if (!plain(path).equals(folder)) {
        throw touched(path, "is listed");
      }
      // The reader lists the names if a file is missing.
      return Files.newDirectoryStream(folder, filter::accept);
    }

    @Override
    public void createDirectory(Path path, FileAttribute<?>... attributes) {
      throw touched(path, "is created");
    }

    @Override
    public void delete(Path path) {
      throw touched(path, "is deleted");
    }

    @Override
    public void copy(Path path, Path to, CopyOption... options) {
      throw touched(path, "is copied");
    }

    @Override
    public void move(Path path, Path to, CopyOption... options) {
      throw touched(path, "is moved");
    }

    @Override
    public boolean isSameFile(Path path, Path other) {
      throw touched(path, "is compared");
    }

    @Override
    public boolean isHidden(Path path) {
      throw unexpected();
    }

    @Override
    public FileStore getFileStore(Path path) {
      throw unexpected();
    }

    @Override
    public <V extends FileAttributeView> V getFileAttributeView(
        Path path, Class<V> type, LinkOption... options) {
      throw unexpected();
    }

    @Override
    public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options) {
      throw unexpected();
    }

    @Override
    public void setAttribute(Path path, String attribute, Object value, LinkOption... options) {
      throw touched(path, "is changed");
    }
  }

  @Override
  public FileSystemProvider provider() {
    return provider;
  }

  @Override
  public Path getPath(String first, String... more) {
    return watched(Path.of(first, more));
  }

  @Override
  public void close() {
    throw unexpected();
  }

  @Override
  public boolean isOpen() {
    return true;
  }

  @Override
  public boolean isReadOnly() {
    return true;
  }

  @Override
  public String getSeparator() {
    return folder.getFileSystem().getSeparator();
  }

  @Override
  public Iterable<Path> getRootDirectories() {
    throw unexpected();
  }

  @Override
  public Iterable<FileStore> getFileStores() {
    throw unexpected();
  }

  @Override
  public Set<String> supportedFileAttributeViews() {
    return Set.of("basic");
  }

  @Override
  public PathMatcher getPathMatcher(String pattern) {
    throw unexpected();
  }

  @Override
  public UserPrincipalLookupService getUserPrincipalLookupService() {
    throw unexpected();
  }

  @Override
  public WatchService newWatchService() {
    throw unexpected();
  }
}
